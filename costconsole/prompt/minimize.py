"""A prompt in fewer tokens that says the same.

`safe` changes what carries no meaning: white space of prose, blank lines, padding of tables, white space of
JSON, comments that say nothing, repeated context. `strong` also gives up what most questions don't need:
quoted replies and signatures of mail, chrome of HTML pages, comments in code.

Rules run in passes until a pass changes nothing, so the result is a fixed point: minimizing it again gives
it back. A rule that doesn't lower the token count is left out, but for the tidying of white space, which
must not raise it. A text that doesn't come to rest, or whose
fences would not stay what they are, is given back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costconsole.domain.errors import UsageProblem
from costconsole.ledger.tokens import count
from costconsole.prompt.document import Context, Document, Level, TooFine, joined
from costconsole.prompt.rules import RULES
from costconsole.prompt.rules.boilerplate import compiled
from costconsole.prompt.segments import segments
from costconsole.prompt.topics import topics

RULES_VERSION = "1"
"""Changes with every change of a rule: the same text may then become another."""

LONGEST = 4_000_000
"""Characters beyond which a text is left as it is."""

_PASSES = 5
_WORTH_LOOKING = re.compile(
    r"[ \t\r]\n|[ \t\r\n]\Z|\A\n|\n\n|\n[ \t]+\n|  |\r|\||[{\[<]|`{3}|~{3}|\]:|wrote:"
)
_SHORT = 400


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule took away, in tokens (at least one) and characters. `note` says what a figure can't."""

    rule: str
    tokens_saved: int
    chars_saved: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Minimized:
    """A prompt after its rules: tokens `before` and `after` as the model counts them.

    `estimated`: the model's tokenizer isn't known, the counts are near. `skipped` says why nothing was
    done; it is "" where rules ran, even if they found nothing.
    """

    text: str
    before: int
    after: int
    estimated: bool
    steps: tuple[Step, ...]
    level: Level
    skipped: str = ""

    @property
    def saved(self) -> int:
        return self.before - self.after


def minimize(
    text: str,
    *,
    level: Level = "safe",
    model: str = "gpt-4o",
    boilerplate: Sequence[str] = (),
    known_topics: frozenset[str] = frozenset(),
) -> Minimized:
    """`text` in fewer tokens of `model`.

    `boilerplate`: expressions (RE2) for lines that go. `known_topics`: what the prompt around the text
    speaks of, see `topics`. The result depends on nothing but the arguments and `RULES_VERSION`. Raises
    UsageProblem for a wrong level or expression.
    """
    lines = check_arguments(level, boilerplate)
    before, estimated = count(text, model)

    def kept(why: str) -> Minimized:
        return Minimized(text, before, before, estimated, (), level, why)

    if not text.strip():
        return kept("the prompt is empty")
    if len(text) > LONGEST:
        return kept(f"the prompt is longer than {LONGEST:,} characters")
    if not worth_looking(text, lines):
        return kept("")
    try:
        document: Document = segments(text)
    except TooFine:
        return kept("the prompt falls into too many pieces")
    fences = _fences(document)
    current, tokens = text, before
    steps: dict[str, tuple[int, int]] = {}
    for _ in range(_PASSES):
        context = Context(level=level, topics=topics(document) | known_topics, boilerplate=lines)
        start = current
        for rule in RULES:
            if level not in rule.levels or rule.unless & context.topics:
                continue
            try:
                changed = rule.apply(document, context)
            except TooFine:
                continue
            if changed is None:
                continue
            candidate = joined(changed)
            fewer = count(candidate, model)[0]
            # Most white space costs nothing; it is tidied when that costs nothing either.
            enough = fewer < tokens or (rule.tidies and fewer == tokens and len(candidate) < len(current))
            if not enough or not candidate.strip():
                continue
            saved, chars = steps.get(rule.name, (0, 0))
            steps[rule.name] = (saved + tokens - fewer, chars + len(current) - len(candidate))
            document, current, tokens = changed, candidate, fewer
        if current == start:
            found = tuple(Step(name, *figures) for name, figures in steps.items() if figures[0])
            return Minimized(current, before, tokens, estimated, found, level)
        try:
            document = segments(current)
        except TooFine:
            break
        if level == "safe" and _fences(document) != fences:
            break
    return kept("the rules found no text that stays the same under them")


def check_arguments(level: str, boilerplate: Sequence[str]) -> Any:
    """The user's list as one expression, or None. Raises UsageProblem for what isn't possible."""
    if level not in ("safe", "strong"):
        raise UsageProblem(f"the level {level!r} is not known: use safe or strong")
    return _boilerplate(tuple(boilerplate))


def worth_looking(text: str, boilerplate: Any = None) -> bool:
    """Whether any rule could find something; a short text of plain words is told from its letters."""
    return boilerplate is not None or len(text) > _SHORT or _WORTH_LOOKING.search(text) is not None


def _fences(document: Document) -> list[str]:
    return [segment.text for segment in document if segment.kind == "fence"]


@lru_cache(maxsize=64)
def _boilerplate(expressions: tuple[str, ...]) -> Any:
    return compiled(expressions)
