"""How people vary what they type: on the surface, where the meaning stays, or with words around it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

_OPENINGS = ("Hi, ", "Hello, ", "Hey, ", "Please: ", "Good morning, ", "Hi there, ", "Hello! ")
_CLOSINGS = (" please", " Thanks!", " thank you", " thx", ", please", " Thank you.", " Cheers")
_SWAPS = (
    ("How do I", "How can I"),
    ("How can I", "How do I"),
    ("I've", "I have"),
    ("I'm", "I am"),
    ("don't", "do not"),
    ("doesn't", "does not"),
    ("can't", "cannot"),
    ("won't", "will not"),
    ("What's", "What is"),
    ("What is", "What's"),
    ("Where's", "Where is"),
    ("What do I", "What should I"),
    ("Is there", "Is there maybe"),
    ("my", "our"),
    ("please", "kindly"),
)
# Sentences around any question, and those that only somebody at a desk or in a chat would say.
_BEFORE = (
    "Quick question:",
    "I'm asking for a colleague.",
    "I have ten minutes before a meeting.",
    "One more thing.",
    "I'm new to all of this.",
    "My manager wants to know this by noon.",
    "I tried this yesterday without luck.",
    "We talked about this last week.",
    "The last answer was too long for me.",
    "I'm preparing a short training.",
)
_AFTER = (
    "Short answer, please.",
    "Explain it step by step.",
    "Bullet points would help.",
    "No introduction, just the result.",
    "I need it for a slide.",
    "Be precise, it matters today.",
    "Add what people often get wrong.",
    "Write it for somebody who is new here.",
    "I'll paste it into a mail.",
    "Tell me if you need more details.",
)
_BEFORE_AT_THE_DESK = (
    "It's my first time here.",
    "Sorry if this was asked before.",
    "I looked at the FAQ and found nothing.",
    "I'm on my phone right now.",
    "I called twice and nobody picked up.",
    "My English isn't great, sorry.",
    "This is urgent!",
    "I'm a bit confused by the menu.",
    "My mother is asking.",
    "The chat before this one closed on me.",
    "A friend told me to ask you.",
    "I hope I'm in the right place.",
)
_AFTER_AT_THE_DESK = (
    "I'd rather not call anybody.",
    "A link would be great.",
    "I'm using the app, not the website.",
    "It worked fine last month.",
    "I need this in writing.",
    "Is there a form for it?",
    "I can't find it anywhere.",
    "I'm in a different time zone.",
    "Nobody could tell me so far.",
    "I'd like to settle it today.",
    "How long will that take?",
    "I hope that's possible.",
)


def surface(text: str, rng: random.Random) -> str:
    """The text with one or two changes of casing, politeness, spelling or punctuation."""
    changed = rng.choice(_SURFACES)(text, rng)
    return rng.choice(_SURFACES)(changed, rng) if rng.random() < 0.4 else changed


def framed(text: str, rng: random.Random, *, at_desk: bool = True) -> str:
    """The text with a sentence before it, after it, or both: the question is the same, its vector isn't."""
    befores = _BEFORE + _BEFORE_AT_THE_DESK if at_desk else _BEFORE
    afters = _AFTER + _AFTER_AT_THE_DESK if at_desk else _AFTER
    side = rng.random()
    before = rng.choice(befores) + " " if side < 0.6 else ""
    if side < 0.4:
        return before + text
    end = "" if text.endswith((".", "?", "!")) else "."
    return f"{before}{text}{end} {rng.choice(afters)}"


def with_record(text: str, channel: str) -> str:
    """The text as a program sends it: with the record that it came from, written out for people to read."""
    record = {
        "channel": channel,
        "language": "en",
        "labels": [],
        "contact": {"first_name": None, "last_name": None, "company": "Brightwater"},
        "attachments": [{"name": "scan.pdf", "pages": None}, {"name": "notes.txt", "pages": None}],
    }
    return f"{text}\n\n{json.dumps(record, indent=4)}\n"


def _lower(text: str, _rng: random.Random) -> str:
    return text.lower()


def _unpunctuated(text: str, _rng: random.Random) -> str:
    return text.rstrip("?.!")


def _emphatic(text: str, rng: random.Random) -> str:
    return text.rstrip("?.!") + rng.choice(("??", "?!", "!", "...", " ?", "???"))


def _opened(text: str, rng: random.Random) -> str:
    return rng.choice(_OPENINGS) + (text[:1].lower() + text[1:] if text[1:2].islower() else text)


def _closed(text: str, rng: random.Random) -> str:
    return text + rng.choice(_CLOSINGS)


def _swapped(text: str, rng: random.Random) -> str:
    fitting = [(old, new) for old, new in _SWAPS if re.search(rf"\b{re.escape(old)}\b", text)]
    if not fitting:
        return _closed(text, rng)
    old, new = rng.choice(fitting)
    return re.sub(rf"\b{re.escape(old)}\b", new, text, count=1)


def _mistyped(text: str, rng: random.Random) -> str:
    """Two neighbouring letters of a long lower-case word change places."""
    words = list(re.finditer(r"\b[a-z]{6,}\b", text))
    if not words:
        return text.lower()
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


_SURFACES: tuple[Callable[[str, random.Random], str], ...] = (
    _lower,
    _unpunctuated,
    _emphatic,
    _opened,
    _closed,
    _swapped,
    _mistyped,
)
