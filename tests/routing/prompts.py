"""Prompts with the task that a person would say they are; none is among the shipped examples."""

from __future__ import annotations

from typing import Final

PROMPTS: Final[dict[str, tuple[str, ...]]] = {
    "summarization": (
        "Give me a two-sentence summary of the incident report below.",
        "tldr of the attached minutes",
        "Please condense this chapter to its five most important points.",
        "Write an executive summary of the audit.",
        "Can you recap what was agreed in this email thread?",
        "Sum up the reviews of this hotel in one short paragraph.",
    ),
    "extraction": (
        "Extract the invoice date and the amount from this message.",
        "From the passage, list every chemical element that is named, separated by commas.",
        "Pull all e-mail addresses out of the text below.",
        "Which companies are mentioned in this article? Return them as JSON.",
        "According to the paragraph, in which year was the museum opened?",
        "Find the names of all witnesses in the transcript and put them in a bulleted list.",
    ),
    "classification": (
        "Classify each of these words as adjective or adverb: slow, quickly, bright, often.",
        "Is this customer message positive, neutral or negative?",
        "Label the following tickets as bug, question or feature request.",
        "Which of the following are rivers: Elbe, Etna, Loire, Andes?",
        "Tell me whether these dishes are Thai or Mexican: pad kra pao, mole, som tam, pozole.",
        "Identify which gas is noble or not: Krypton, Chlorine",
    ),
    "qa": (
        "What is the capital of Uruguay?",
        "Who painted The Night Watch?",
        "When was the Panama Canal opened?",
        "Why do leaves turn red?",
        "What does GDP stand for?",
        "How does a heat pump work?",
    ),
    "reasoning": (
        "Lena has 18 marbles, loses 5 and then doubles what is left. How many marbles does she have?",
        "A car drives 150 km in 2 hours and then 90 km in 1.5 hours. What is its average speed?",
        "Prove that there are infinitely many prime numbers.",
        "Nora is older than Tim and younger than Ada. Who is the oldest? Explain step by step.",
        "A phone costs $400 and is reduced by 15%, then taxed at 8%. What does it cost in the end?",
        "Solve the equation 4x - 9 = 2x + 11 and show each step.",
    ),
    "coding": (
        "Write a Rust function that counts the words of a string.",
        "Why does this SQL query return duplicate rows?",
        "Implement binary search in Java.",
        "Fix the TypeError in my JavaScript code.",
        "How can I read a CSV file with pandas?",
        "Refactor this class so that it can be unit tested.",
    ),
    "creative": (
        "Write a short story about a clock that runs backwards.",
        "Compose a haiku about the first snow.",
        "Write a funny farewell speech for a colleague who loves cheese.",
        "Imagine you are a tree in a city park and write a diary entry.",
        "Draft a love letter from the moon to the tide.",
        "Come up with a slogan for a bicycle repair shop.",
    ),
    "brainstorming": (
        "Give me ten ideas for a team event in winter.",
        "What are some ways to make meetings shorter?",
        "Suggest five names for a podcast about gardening.",
        "List fun things to do with teenagers in Berlin.",
        "What are good topics for a blog about tea?",
        "Recommend a few hobbies that cost nothing.",
    ),
}
PASSAGE: Final = (
    "The lighthouse was built in 1874 after three ships had been lost on the reef within one winter. Its "
    "keeper, a former whaler by the name of Amos Tarr, lived there with his family for 31 years and kept "
    "a journal of every vessel that passed. When the lamp was electrified in 1926, the post was given up "
    "and the house fell into ruin. A society of volunteers bought it in 1988 for a symbolic price, "
    "rebuilt the stairs, and opened it to visitors. Since then about 20,000 people a year have climbed "
    "its 142 steps. The journal is shown in the lamp room, where a copy of the first lens turns slowly in"
    " the light of the afternoon."
)
