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
SUPPORT: Final = (
    "The parking garage charged me twice on 3 May, 12 euros each time",
    "can u send the gym contract again, i deleted it",
    "Our printer on floor 3 says paper jam but there's none",
    "I was billed $19.99 for a month I already cancelled",
    "how many vacation days do I have left",
    "Is the museum open on Monday?",
    "the parcel was delivered to number 14 but she has nothing",
    "Where do I enter the voucher code?",
    "I want to speak with a human",
    "wifi password for guests?",
    "Do you ship to Canada and what does it cost?",
    "i ordered size 42 and got 40",
    "The app logs me out every few minutes since the update",
    "Who approves travel expenses above $1,000?",
    "I moved, please change my address to 4 Mill Lane",
    "Can I bring my dog on the ferry?",
    "my internet is down since 8 am",
    "I forgot my PIN",
    "need invoice for order 88213",
    "My seat was changed from 12A to 30E without asking",
    "Sorry, one more: can two people use one licence?",
    "cancel my subscription pls",
    "Why is there a $35 fee on my statement?",
    "I'm asking for my sister. How does one report a stolen phone? Please be brief.",
)
"""What people ask of a help desk: answers that are known and short, amounts and dates or not."""

SAME_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "strong": (
        "Write an apology email to a customer whose parcel arrived two weeks late.",
        "Write a poem about a lost suitcase.",
        "Give me ideas to reduce returns in our online shop.",
        "Brainstorm names for a new savings account for students.",
        "Write a Python function that validates a card number.",
        "Write a SQL query that lists the customers with more than three refunds.",
        "Our bank pays 2% a year. I put in $500 each year. How much is on the account after 3 years?",
        "A ticket costs 40 euros, children pay half. What do 2 adults and 3 children pay?",
        "A plane leaves Oslo at 14:20 and flies 170 minutes to a city one hour ahead. When does it land?",
        "Write a short story about a flight attendant who finds a passport.",
    ),
    "cheap": (
        "Summarize this customer's complaint in two sentences.",
        "Label each message as question, complaint or praise.",
        "Pull the flight number and the seat out of this booking confirmation.",
    ),
}
"""What is no question for a help desk although it is about the same things."""

FOREIGN: Final[dict[str, tuple[str, ...]]] = {
    "summarization": (
        "Kannst du mir den Bericht kurz zusammenfassen?",
        "Haz un resumen del informe.",
        "Peux-tu résumer ce courriel ?",
        "请用三句话总结这篇文章。",
    ),
    "extraction": ("Extrahiere alle Telefonnummern aus dem Text.", "从文本中提取所有日期。"),
    "classification": ("Clasifica esta reseña como positiva o negativa.", "把这条评论分类为正面或负面。"),
    "qa": ("Wie sperre ich meine Karte?", "¿Dónde está mi pedido?", "Où est ma commande ?"),
    "reasoning": ("Demuestra que la raíz de 2 es irracional.", "证明根号2是无理数。"),
    "coding": ("Implementiere eine Warteschlange in Java.", "写一个排序列表的Python函数。"),
    "creative": ("Rédige une courte histoire sur un dragon.", "写一首关于秋天的诗。"),
    "brainstorming": ("Sugiere nombres para una cafetería.", "给我十个团建活动的点子。"),
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
