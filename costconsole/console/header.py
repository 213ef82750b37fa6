"""The line on top: where we are, what we may do, how old the figures are, which window, what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from rich.cells import cell_len

from costconsole.console.source import Link
from costconsole.console.widgets.painted import Line, Span, fit, width_of
from costconsole.domain.format import age, clock, clock_minute, offset
from costconsole.domain.text import first_words, visible


@dataclass(frozen=True, slots=True)
class Status:
    """What the header shows. `quiet`: the last refresh changed nothing; the clock then has no seconds.

    `alarm`: what is wrong whatever page is open.
    """

    link: Link
    interval_s: float
    window: str
    now_ms: int
    tz: tzinfo | None = None
    paused_ms: int | None = None
    quiet: bool = False
    alarm: str = ""


def state_words(status: Status) -> list[Line]:
    """The state of the connection, from the longest way to say it to the shortest."""
    link = status.link
    if status.paused_ms is not None:
        # Nothing is sent while it is paused but, once a minute, how far behind it is.
        behind_ms = status.now_ms - (link.read_ms or status.paused_ms)
        since = f"since {clock(status.paused_ms, status.tz)}"
        how = f"{age(behind_ms)} behind" if behind_ms >= 60_000 else since
        return [((f"‖ paused {how}", "warn"),), (("‖ paused", "warn"),)]
    if link.state == "connecting":
        return [(("◌ connecting", "muted"),)]
    if link.state == "live":
        live: Line = (("● ", "good"), (f"live {status.interval_s:g}s", "text"))
        return [(*live, (f" · {_read_age(link)} ago", "muted")), live]
    since = clock(link.since_ms or status.now_ms, status.tz)
    if link.state == "stale":
        old = age(status.now_ms - (link.read_ms or link.since_ms or status.now_ms))
        return [((f"◌ stale {old}", "warn"),)]
    left_s = max(0, -(-((link.retry_at_ms or status.now_ms) - status.now_ms) // 1000))
    retry = f"retry in {left_s} s" if left_s else "trying again"
    return [
        ((f"✗ down since {since}, {retry}", "bad"),),
        ((f"✗ down, {retry}", "bad"),),
        (("✗ down", "bad"),),
    ]


def _read_age(link: Link) -> str:
    """How old the figures were when they were painted: the time that the read took."""
    seconds = (link.latency_ms or 0) / 1000
    return "<0.1 s" if seconds < 0.1 else f"{seconds:.1f} s"


def _clock(status: Status) -> str:
    show = clock_minute(status.now_ms, status.tz) + "   " if status.quiet else clock(status.now_ms, status.tz)
    return f"{show} {offset(status.now_ms, status.tz)}"


def header_line(status: Status, width: int) -> Line:
    """The header in at most `width` cells. What matters least goes first; state, badge and window stay."""
    link = status.link
    badge: Span = ("RW", "muted") if link.writable else ("RO", "warn")
    words = state_words(status)
    window: Line = (("window ", "muted"), (status.window, "strong"))
    keys: Line = ((" [ ]", "faint"),)
    time: Line = (("   ", "text"), (_clock(status), "text"))
    name: Line = (("costconsole  ", "accent"),)
    where = link.label + (f" · {link.namespace}" if link.namespace else "")
    # Each step gives up one thing more.
    for state, with_name, with_keys, with_time, place_width in (
        (words[0], True, True, True, 99),
        (words[0], False, True, True, 99),
        (words[0], False, False, True, 99),
        (words[-1 if link.state == "live" else 0], False, True, True, 99),
        (words[min(1, len(words) - 1)], False, False, True, 99),
        (words[min(1, len(words) - 1)], False, False, True, 24),
        (words[-1], False, False, True, 18),
        (words[-1], False, False, False, 14),
    ):
        left: Line = (
            *(name if with_name else ()),
            (first_words(where, place_width), "strong"),
            ("  ", "text"),
            badge,
        )
        right: Line = (*window, *(keys if with_keys else ()), *(time if with_time else ()))
        used = width_of(left) + width_of(state) + width_of(right) + 8
        if used <= width:
            break
    gap = max(1, width - used + 3)
    return ((" ", "text"), *left, ("   ", "text"), *state, (" " * gap, "text"), *right, (" ", "text"))


def banner_line(status: Status, width: int) -> Line:
    """Why the figures are old and what happens next, else the alarm; empty while all is well."""
    link = status.link
    if not link.is_old or status.paused_ms is not None:
        return _alarm_line(status.alarm, width) if status.alarm else ()
    mark = "✗" if link.state == "down" else "◌"
    what = f"figures of {clock(link.read_ms, status.tz)}" if link.read_ms else "no figures yet"
    reason = visible(link.reason)
    room = max(10, width - len(what) - 6)
    return (
        (f" {mark} ", "bad"),
        (reason if cell_len(reason) <= room else fit(reason, room), "text"),
        (f"  {what}", "muted"),
    )


def _alarm_line(alarm: str, width: int) -> Line:
    where = "  page 4"
    room = max(10, width - len(where) - 4)
    words = visible(alarm)
    return ((" ✗ ", "bad"), (words if cell_len(words) <= room else fit(words, room), "bad"), (where, "muted"))
