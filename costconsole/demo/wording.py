"""How people vary what they type: on the surface, where the meaning stays, or with words around it."""

from __future__ import annotations

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
_BEFORE = (
    "Quick question:",
    "It's my first time here.",
    "I'm asking for a colleague.",
    "Sorry if this was asked before.",
    "I looked at the FAQ and found nothing.",
    "I'm on my phone right now.",
    "My manager wants to know this by noon.",
    "I called twice and nobody picked up.",
    "I've been a customer for six years.",
    "One more thing.",
    "I tried this yesterday without luck.",
    "My English isn't great, sorry.",
    "This is urgent!",
    "I'm a bit confused by the menu.",
    "We talked about this last week.",
    "My mother is asking.",
    "I have ten minutes before a meeting.",
    "The chat before this one closed on me.",
    "I'm new to all of this.",
    "Could a human read this too?",
)
_AFTER = (
    "I'd rather not call anybody.",
    "A link would be great.",
    "Short answer, please.",
    "Explain it step by step.",
    "I'm using the app, not the website.",
    "It worked fine last month.",
    "I need this in writing.",
    "Is there a form for it?",
    "I can't find it anywhere.",
    "It's for two people.",
    "I'm in a different time zone.",
    "Nobody could tell me so far.",
    "I'd like to settle it today.",
    "Does it cost anything?",
    "How long will that take?",
    "Bullet points would help.",
    "I hope that's possible.",
    "We have done it differently before.",
    "Tell me if you need more details.",
    "Otherwise I'll come by in person.",
)


def surface(text: str, rng: random.Random) -> str:
    """The text with one or two changes of casing, politeness, spelling or punctuation."""
    changed = rng.choice(_SURFACES)(text, rng)
    return rng.choice(_SURFACES)(changed, rng) if rng.random() < 0.4 else changed


def framed(text: str, rng: random.Random) -> str:
    """The text with a sentence before it, after it, or both: the question is the same, its vector isn't."""
    side = rng.random()
    before = rng.choice(_BEFORE) + " " if side < 0.6 else ""
    after = " " + rng.choice(_AFTER) if side >= 0.4 else ""
    return before + text + after


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
