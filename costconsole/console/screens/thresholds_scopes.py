"""The table of scopes, and of other libraries' caches below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from costconsole.console.keymap import bindings_of
from costconsole.console.safe import safe
from costconsole.console.screens.entries_wrap import wrap_text
from costconsole.console.screens.thresholds_words import STATES, number
from costconsole.console.threshold_view import ALL, Scope, ScopeLine, ThresholdView
from costconsole.console.widgets.columns import Column, Row
from costconsole.console.widgets.painted import Line
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.format import UNKNOWN, compact, percent
from costconsole.domain.text import first_words, visible

if TYPE_CHECKING:
    from costconsole.cache.thresholds import CacheThreshold

COLUMNS = (
    Column("for", "threshold of", 16, flex=True),
    Column("now", "now", 6, "right"),
    Column("hits", "hit %", 5, "right"),
    Column("lookups", "look-ups", 8, "right", drop=1),
    Column("labels", "labels", 6, "right", drop=2),
    Column("state", "state", 12),
    Column("allows", "allows", 13),
)
_WHEN = {"now": "changes now", "next start": "next start", "code": "in its code"}
_KEPT = ("move(1)", "move(-1)", "to_end(-1)", "to_end(1)", "page(1)", "page(-1)", "half_page(1)")
Choice = Scope | tuple[str, str]
"""A scope of our own cache, or the name and the part of another library's."""


class ScopeTable(LiveTable, inherit_bindings=False):
    """Up and down choose a scope; left and right are the page's, for the line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in bindings_of(LiveTable) if binding.action in (*_KEPT, "half_page(-1)")
    ]


def rows_of(view: ThresholdView) -> list[Row]:
    """A row a scope, then one for every threshold of another library's cache."""
    return [*map(_scope_row, view.scopes), *map(_cache_row, view.caches)]


def choice_of(key: str) -> Choice:
    """What a row stands for."""
    what, one, other = key.split("\0", 2)
    if what == "cache":
        return one, other
    return ALL if one == "all" else Scope("route" if one == "route" else "model", other)


def key_of(scope: Scope) -> str:
    return f"scope\0{scope.kind}\0{scope.name}"


def _scope_row(line: ScopeLine) -> Row:
    state, ink = STATES[line.state]
    now = number(line.threshold)
    if line.proposed is not None:
        allows = f"✓ {number(line.proposed)}"
    elif line.missing is not None:
        allows = f"{compact(line.missing)} labels"
    else:
        allows = UNKNOWN
    cells = (
        first_words(line.scope.words, 60),
        safe(now, "muted") if line.inherits else safe(now, "strong"),
        percent(line.hit_rate),
        compact(line.lookups),
        compact(line.labels),
        safe(state, ink),
        allows,
    )
    return Row(key_of(line.scope), cells)


def _cache_row(one: CacheThreshold) -> Row:
    of = f" · {one.part_word} {one.part}" if one.part else ""
    known = UNKNOWN if one.similarity is None else number(one.similarity)
    if one.similarity is None and one.default is not None:
        known = f"({number(one.default)})"
    cells = (
        first_words(f"{one.cache}{of} ({one.library})", 80),
        known,
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
        _WHEN[one.takes_effect],
        "",
    )
    return Row(f"cache\0{one.cache}\0{one.part}", cells)


def cache_lines(one: CacheThreshold, width: int) -> list[Line]:
    """A threshold of another library's cache: what it is, when a change acts, and the line that sets it."""
    effect = {
        "now": "Effective now: its applications follow a change made here.",
        "next start": "Effective at the next start of its applications: they read it then.",
        "code": "Only its application's code sets it: change this line there.",
    }[one.takes_effect]
    known = "not in Redis" if one.similarity is None else number(one.similarity)
    if one.similarity is None and one.default is not None:
        known += f"; the library's default is {number(one.default)}"
    of = f"{one.part_word} {one.part} of " if one.part else ""
    lines: list[Line] = [
        ((visible(f"{of}{one.cache}"), "strong"), (visible(f"  {one.library}"), "muted")),
        (("similarity from which it answers  ", "muted"), (visible(known), "strong")),
        *wrap_text(effect, width),
    ]
    if one.line:
        lines += wrap_text(visible(one.line), width, "accent")
    if one.sentence:
        lines += wrap_text(visible(one.sentence), width, "muted")
    return lines
