"""The filter of the list: a sheet with one line to write it in, completed and checked as one types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from costconsole.cache.entryfilter import NAMES, EntryFilter, parse_filter
from costconsole.console.safe import join, safe
from costconsole.console.screens.entries_query import LineInput
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.painted import Line, Painted
from costconsole.console.widgets.table import Column, LiveTable, Row
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import visible

_FIXED: dict[str, tuple[tuple[str, str], ...]] = {
    "age": (
        (">1d", "older than a day"), (">7d", "older than a week"), (">30d", "older than 30 days"),
        ("<1h", "stored in the last hour"), ("<1d", "stored in the last day"),
    ),
    "ttl": (
        ("none", "never expires"), ("<1h", "expires within the hour"), ("<1d", "expires within a day"),
        (">7d", "has more than a week left"),
    ),
}  # fmt: skip
_MOST = 12

Known = Mapping[str, Sequence[tuple[str, str]]]
"""By what can be filtered: values that are known, and what is known of each."""


def known_values(caches: Sequence[CacheInfo], entries: Sequence[CacheEntry]) -> Known:
    """Values to propose: of the caches, and those of the entries that are listed, the most frequent first."""
    found: dict[str, list[tuple[str, str]]] = {name: list(values) for name, values in _FIXED.items()}
    found["library"] = [(name, "") for name in dict.fromkeys(cache.library for cache in caches)]
    found["cache"] = [(cache.name, cache.library) for cache in caches]
    for name in ("model", "scope", "route", "tag"):
        counts: dict[str, int] = {}
        for entry in entries:
            value = getattr(entry, name)
            counts[value] = counts.get(value, 0) + 1
        found[name] = [
            (value or "none", f"{count:,} of those listed")
            for value, count in sorted(counts.items(), key=lambda pair: -pair[1])
            if value or len(counts) > 1
        ]
    return found


def last_token(text: str) -> tuple[str, str]:
    """What stands before the token that is being written, and that token."""
    at = next(
        (n for n in range(len(text) - 1, -1, -1) if text[n].isspace() and text[:n].count('"') % 2 == 0), -1
    )
    return text[: at + 1], text[at + 1 :]


def suggestions(text: str, known: Known) -> list[tuple[str, str]]:
    """What the line could be continued to, each as the whole line, and what that means."""
    before, token = last_token(text)
    name, colon, value = token.partition(":")
    if not colon:
        used = {word.partition(":")[0] for word in before.split()} - {"age", "ttl"}
        names = [n for n in NAMES if n.startswith(name.lower()) and n not in used]
        return [(f"{before}{n}:", NAMES[n]) for n in names]
    start = value.lstrip('"').lower()
    found = []
    for proposed, what in known.get(name.lower(), ()):
        if start in proposed.lower() and start != proposed.lower():
            quoted = f'"{proposed}"' if any(c.isspace() for c in proposed) else proposed
            found.append((f"{before}{name.lower()}:{quoted} ", what))
    # What begins so comes before what only holds it.
    found.sort(
        key=lambda pair: not pair[0][len(before) + len(name) + 1 :].lstrip('"').lower().startswith(start)
    )
    return found[:_MOST]


class FilterInput(LineInput):
    """The line; Tab takes the first proposal."""

    BINDING_GROUP_TITLE = "Filter line"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "complete", id="filter.complete", tooltip="take the proposal"),
        Binding("down", "propose(1)", "next proposal", show=False, id="filter.down"),
        Binding("up", "propose(-1)", "proposal before", show=False, id="filter.up"),
    ]

    def action_complete(self) -> None:
        sheet = self.screen
        assert isinstance(sheet, FilterSheet)
        sheet.complete()

    def action_propose(self, rows: int) -> None:
        self.screen.query_one(LiveTable).action_move(rows)


class FilterSheet(Sheet):
    """Asks for a filter, `now` being the one there is; `chosen` gets the new one."""

    BINDING_GROUP_TITLE = "Filter"
    DEFAULT_CSS = """
    FilterSheet {
        #filter { width: 1fr; }
        #says { height: 1; margin: 0 0 1 1; }
        #proposals { height: 1fr; }
    }
    """

    def __init__(
        self,
        now: EntryFilter,
        caches: Sequence[CacheInfo],
        known: Known,
        chosen: Callable[[EntryFilter], None],
    ) -> None:
        super().__init__()
        self._now = now
        self._caches = caches
        self._known = known
        self._chosen = chosen
        self._proposed: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield Static(
            join(
                safe("Only entries with", "accent"),
                safe("   tab completes   enter filters   esc leaves it as it is", "muted"),
            ),
            classes="sheet-title",
        )
        text = " ".join(self._now.tokens())
        yield FilterInput(f"{visible(text)} " if text else "", id="filter")
        yield Painted(id="says")
        table = LiveTable(
            [Column("token", "filter", 30), Column("what", "meaning", 40, flex=True)],
            id="proposals",
        )
        table.can_focus = False
        yield table

    def on_mount(self) -> None:
        line = self.query_one(FilterInput)
        line.cursor_position = len(line.value)
        self.set_focus(line)
        self._look(line.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._look(event.value)

    def _look(self, text: str) -> None:
        self._proposed = suggestions(text, self._known)
        before, _ = last_token(text)
        table = self.query_one(LiveTable)
        table.update_rows(
            [
                Row(str(n), (visible(line[len(before) :].strip()), safe(what, "muted")))
                for n, (line, what) in enumerate(self._proposed)
            ]
        )
        table.move_to("0")
        self._say(self._verdict(text))

    def _verdict(self, text: str) -> Line:
        """What the line means, or what is wrong in what is written so far (not yet in the last token)."""
        before, token = last_token(text)
        try:
            where = parse_filter(text if not token else before, self._caches)
        except UsageProblem as problem:
            return ((visible(str(problem)), "warn"),)
        try:
            where = parse_filter(text, self._caches)
        except UsageProblem:
            return (("…", "muted"),)
        return ((f"= {visible(where.sentence())}" if where else "every entry passes", "muted"),)

    def _say(self, line: Line) -> None:
        self.query_one("#says", Painted).paint((line,))

    def complete(self) -> None:
        """Take the proposal under the cursor."""
        key = self.query_one(LiveTable).cursor_key
        if key is not None and int(key) < len(self._proposed):
            line = self.query_one(FilterInput)
            line.value = self._proposed[int(key)][0]
            line.cursor_position = len(line.value)

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        self.complete()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            where = parse_filter(event.value, self._caches)
        except UsageProblem as problem:
            self._say(((visible(str(problem)), "bad"),))
            return
        self.dismiss()
        self._chosen(where)


def filter_line(where: EntryFilter, caches: int, charset: str) -> Line:
    """The filter as it stands over the list, and the keys that change it."""
    line: Line = (("filter ", "muted"),)
    for token in where.tokens():
        left, right = ("[", "]") if charset == "ascii" else ("‹", "›")
        line = (*line, (left, "faint"), (visible(token), "accent"), (f"{right} ", "faint"))
    if not caches:
        line = (*line, ("no cache has such entries ", "warn"))
    return (*line, (" F", "accent"), (" clears  ", "muted"), ("f", "accent"), (" changes", "muted"))
