"""Lines of the user's own list: a line goes when an expression matches the whole of it.

The expressions are RE2's, which takes time proportional to the line for any expression: no list can make
a call hang. Fences, JSON, tables, indented and quoted text are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costconsole.domain.errors import UsageProblem
from costconsole.prompt.document import Context, Document, Rule, Segment, without


def compiled(expressions: Sequence[str]) -> Any:
    """One RE2 expression for a list, None for an empty one. Raises UsageProblem naming a wrong one."""
    if not expressions:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    for number, expression in enumerate(expressions, 1):
        try:
            re2.compile(expression, options)
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise UsageProblem(
                f"expression {number} of minimize.boilerplate, {expression!r}, is not possible: {reason} "
                "(RE2 syntax: no look-around, no back-references)"
            ) from None
    try:
        return re2.compile("|".join(f"(?:{expression})" for expression in expressions), options)
    except re2.error:
        raise UsageProblem("minimize.boilerplate is too long, or names a group twice: shorten it") from None


def _apply(document: Document, context: Context) -> Document | None:
    if context.boilerplate is None:
        return None
    known: dict[str, bool] = {}

    def goes(line: str) -> bool:
        line = line.strip()
        if line not in known:
            known[line] = bool(line) and context.boilerplate.fullmatch(_sound(line)) is not None
        return known[line]

    gone: set[int] = set()
    found = list(document)
    changed = False
    for at, segment in enumerate(document):
        if segment.kind not in ("prose", "marker"):
            continue
        lines = segment.text.splitlines(keepends=True) if "\x0b" not in segment.text else [segment.text]
        kept = [line for line in lines if not goes(line)]
        if len(kept) == len(lines):
            continue
        changed = True
        if kept:
            found[at] = Segment(segment.kind, "".join(kept))
        else:
            gone.add(at)
    return without(found, gone) if changed else None


def _sound(text: str) -> str:
    """Without lone surrogates, which have no UTF-8."""
    return text.encode(errors="replace").decode()


RULE = Rule("boilerplate", _apply)
