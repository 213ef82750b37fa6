"""What the Routing page says of a what-if: what is asked, how far it is, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from rich.cells import cell_len

from costconsole.console.page import Export
from costconsole.console.screens.entries_wrap import prefixed, wrap
from costconsole.console.widgets.painted import Line, Span, fit
from costconsole.domain.format import count, decimals_for, dollars, percent, stamp
from costconsole.domain.text import visible
from costconsole.routing.replay import LAST, Progress
from costconsole.routing.whatif import ASSUMPTIONS, UNKNOWN, Change, WhatIf

_NUMBERS = (8, 8, 9, 9, 9)
_LEAST_NAME = 14
_MOST_NAME = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared. `file` "" is the config in use, `prices` "" those in use; `edited`: without a
    file, the config before its last change is compared with the one after."""

    last: int = LAST
    file: str = ""
    prices: str = ""
    edited: bool = False

    @property
    def nothing(self) -> bool:
        """Whether both sides are the same."""
        return not (self.file or self.prices or self.edited)


def asked_lines(asked: Asked, progress: Progress | None, width: int) -> list[Line]:
    """What is compared, and what to do next."""
    if asked.file:
        config = _name(asked.file)
    else:
        config = "before its last change" if asked.edited else "the one in use"
    prices = _name(asked.prices) if asked.prices else "those in use"
    spans: list[Span] = []
    for key, name, value in (
        ("n", "calls", f"the last {count(asked.last)}"),
        ("f", "config", config),
        ("p", "prices", prices),
    ):
        spans += [(f"{key} ", "accent"), (f"{name} ", "muted"), (f"{visible(value)}  ", "strong")]
    if progress is not None:
        routed = f" · {count(progress.routed)} prompts routed anew" if progress.routed else ""
        words = f"{count(progress.done)} of {count(progress.total)} calls{routed} · Esc stops"
        return [tuple(spans), ((words, "strong"),)]
    if asked.nothing:
        words = "choose an edited routing config (f) or another price list (p) to compare with"
        return [tuple(spans), *wrap(((words, "muted"),), width)[:1]]
    return [tuple(spans), (("x ", "accent"), ("compares; nothing is written", "muted"))]


def outcome_lines(found: WhatIf, tz: tzinfo | None, width: int) -> list[Line]:
    """Spend before and after, what moved, what isn't known, what was assumed."""
    if not found.calls:
        words = "stopped before anything was counted" if not found.complete else "this ledger has no calls"
        return [((words, "muted"),)]
    digits = max(2, decimals_for(found.before_nano, found.after_nano))
    made = _summary(found, tz, digits, width)
    for title, changes in (
        ("moves", [change for _was, _will, change in found.moves]),
        ("models", found.models),
        ("routes", found.routes),
    ):
        if changes:
            made += [(), *_table(title, changes, digits, width)]
    made += [(), (("taken for granted", "muted"),)]
    for words in ASSUMPTIONS:
        made += prefixed(wrap(((words, "muted"),), max(10, width - 2)), (("· ", "muted"),), (("  ", "text"),))
    return made


def _summary(found: WhatIf, tz: tzinfo | None, digits: int, width: int) -> list[Line]:
    change = found.after_nano - found.before_nano
    share = change / found.before_nano if found.before_nano else None
    ink = "good" if change < 0 else "warn" if change > 0 else "text"
    mark = "▼" if change < 0 else "▲" if change > 0 else "="
    part = "" if found.complete else "stopped: of those looked at · "
    when = ""
    if found.from_ms is not None and found.to_ms is not None:
        when = f"{stamp(found.from_ms, tz)} to {stamp(found.to_ms, tz)}"
    made: list[Line] = wrap(((f"{part}{count(found.calls)} calls, {when}", "muted"),), width)
    made.append(
        (
            ("spend    ", "muted"),
            (f"$ {dollars(found.before_nano, digits)} → $ {dollars(found.after_nano, digits)}  ", "strong"),
            (f"{mark} $ {dollars(abs(change), digits)}", ink),
            ("" if share is None else f"  {percent(abs(share))} %", ink),
        )
    )
    before, after = found.routing_before_nano, found.routing_after_nano
    made.append(
        (
            ("routing  ", "muted"),
            (f"saves $ {dollars(before, digits)} → $ {dollars(after, digits)}", "text"),
            (" against the baseline", "muted"),
        )
    )
    made += wrap(
        (
            (f"{count(found.moved)} calls would move", "strong"),
            (
                f", {count(found.kept)} stay, {count(found.hits)} are hits, {count(found.failed)} failed",
                "text",
            ),
        ),
        width,
    )
    if found.unknown:
        total = sum(found.unknown.values())
        words = f"{count(total)} unknown, in no sum; they cost $ {dollars(found.unknown_nano, digits)}"
        made += wrap(((words, "warn"),), width)
        for why, number in sorted(found.unknown.items(), key=lambda item: -item[1]):
            said = wrap(((f"{count(number)}: {UNKNOWN[why]}", "text"),), max(10, width - 2))
            made += prefixed(said, (("· ", "warn"),), (("  ", "text"),))
    return made


def _table(title: str, changes: Sequence[Change], digits: int, width: int) -> list[Line]:
    room = width - sum(_NUMBERS) - len(_NUMBERS)
    name = max(_LEAST_NAME, min(_MOST_NAME, room))
    heads = ("calls", "after", "before $", "after $", "change $")
    made: list[Line] = [
        (
            (fit(title, name), "accent"),
            *(
                (" " + fit(head, cells, right=True), "muted")
                for head, cells in zip(heads, _NUMBERS, strict=True)
            ),
        )
    ]
    for change in changes:
        less = change.after_nano - change.before_nano
        sign = "+" if less > 0 else ""
        values = (
            count(change.calls_before),
            count(change.calls_after),
            dollars(change.before_nano, digits),
            dollars(change.after_nano, digits),
            f"{sign}{dollars(less, digits)}",
        )
        inks = ("text", "text", "text", "text", "good" if less < 0 else "warn" if less > 0 else "muted")
        shown = visible(change.name) or "(no route)"
        if cell_len(shown) > name:
            made += wrap(((shown, "text"),), width)
            shown = ""
        made.append(
            (
                (fit(shown, name), "text"),
                *(
                    (" " + fit(value, cells, right=True), ink)
                    for value, cells, ink in zip(values, _NUMBERS, inks, strict=True)
                ),
            )
        )
    return made


def export_of(found: WhatIf) -> Export:
    """Every row with raw values: dollars, and what kind of row it is."""
    names = ("kind", "name", "calls_before", "calls_after", "before_usd", "after_usd")
    known = found.known
    rows: list[tuple[object, ...]] = [
        ("total", "known calls", known, known, found.before_nano / 1e9, found.after_nano / 1e9),
        (
            "total", "saved by routing", None, None,
            found.routing_before_nano / 1e9, found.routing_after_nano / 1e9,
        ),
        ("total", "moved", found.moved, found.moved, None, None),
        ("total", "hits", found.hits, found.hits, None, None),
        ("total", "failed", found.failed, found.failed, None, None),
    ]  # fmt: skip
    rows += [("unknown", UNKNOWN[why], number, None, None, None) for why, number in found.unknown.items()]
    if found.unknown:
        rows.append(("unknown", "spend", None, None, found.unknown_nano / 1e9, None))
    for kind, changes in (
        ("move", [change for _was, _will, change in found.moves]),
        ("model", found.models),
        ("route", found.routes),
    ):
        rows += [
            (kind, c.name, c.calls_before, c.calls_after, c.before_nano / 1e9, c.after_nano / 1e9)
            for c in changes
        ]
    return Export("what-if", names, rows)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1] or path
