"""The header says where we are, in which state, and how old the figures are, at every width."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from costconsole.console.footer import Hint, footer_line
from costconsole.console.header import Status, banner_line, header_line
from costconsole.console.source import Link
from costconsole.console.widgets.painted import Line, width_of

NOW = 1_795_386_843_000
LINK = Link(
    state="live",
    label="prod-cache:6379/0",
    namespace="support",
    writable=True,
    since_ms=NOW - 60_000,
    read_ms=NOW,
    latency_ms=3.0,
)
STATUS = Status(LINK, 1.0, "1h", NOW, timezone(timedelta(hours=1)))


def said(line: Line) -> str:
    return "".join(text for text, _ink in line)


def test_all_is_said_where_there_is_room() -> None:
    shown = said(header_line(STATUS, 120))
    for part in (
        "costconsole  prod-cache:6379/0 · support  RW",
        "● live 1s · <0.1 s ago",
        "window 1h [ ]",
        "23:34:03 +01",
    ):
        assert part in shown


@pytest.mark.parametrize("width", [80, 90, 100, 120, 200])
@pytest.mark.parametrize(
    "status",
    [
        STATUS,
        replace(STATUS, link=replace(LINK, state="stale", read_ms=NOW - 14_000)),
        replace(STATUS, link=replace(LINK, state="down", retry_at_ms=NOW + 4_000)),
        replace(STATUS, link=replace(LINK, state="connecting")),
        replace(STATUS, paused_ms=NOW - 37_000),
        replace(STATUS, link=replace(LINK, label="redis-19283.c1.us-east-1.ec2.example.com:19283/0")),
    ],
)
def test_state_badge_and_window_are_never_cut(status: Status, width: int) -> None:
    line = header_line(status, width)
    shown = said(line)
    assert width_of(line) <= width
    assert "RW" in shown
    assert "window 1h" in shown
    state = "paused" if status.paused_ms else status.link.state
    assert state in shown


def test_states_have_words_and_marks() -> None:
    stale = replace(STATUS, link=replace(LINK, state="stale", read_ms=NOW - 14_000))
    down = replace(STATUS, link=replace(LINK, state="down", retry_at_ms=NOW + 4_000))
    assert "◌ stale 14 s" in said(header_line(stale, 120))
    assert "✗ down since 23:33:03, retry in 4 s" in said(header_line(down, 120))
    assert "‖ paused since 23:33:26" in said(header_line(replace(STATUS, paused_ms=NOW - 37_000), 120))
    late = replace(STATUS, paused_ms=NOW - 190_000, link=replace(LINK, read_ms=NOW - 190_000))
    assert "‖ paused 3 min behind" in said(header_line(late, 120))
    slow = replace(STATUS, link=replace(LINK, latency_ms=840.0))
    assert "0.8 s ago" in said(header_line(slow, 120))


def test_read_only_differs_by_word() -> None:
    assert "RO" in said(header_line(replace(STATUS, link=replace(LINK, writable=False)), 80))


def test_a_quiet_refresh_shows_no_seconds_that_stand_still() -> None:
    assert "23:34:03" not in said(header_line(replace(STATUS, quiet=True), 120))
    assert "23:34" in said(header_line(replace(STATUS, quiet=True), 120))


def test_a_label_cannot_act_on_the_terminal() -> None:
    evil = replace(STATUS, link=replace(LINK, label="\x1b]0;x\x07", reason="\x1b[2J", state="down"))
    assert "\x1b" not in said(header_line(evil, 120)) + said(banner_line(evil, 120))


def test_the_banner_gives_the_reason_only_while_figures_are_old() -> None:
    assert banner_line(STATUS, 120) == ()
    down = replace(STATUS, link=replace(LINK, state="down", reason="prod refused the connection"))
    shown = said(banner_line(down, 120))
    assert "prod refused the connection" in shown
    assert "figures of 23:34:03" in shown
    assert width_of(banner_line(down, 60)) <= 60


def test_the_footer_keeps_help_and_commands_first_and_cuts_no_hint() -> None:
    hints = [Hint("?", "help"), Hint(":", "commands"), *(Hint("x", f"thing {i}") for i in range(20))]
    shown = said(footer_line(hints, 40))
    assert shown.startswith(" ? help  : commands")
    assert len(shown) <= 42
    assert shown.rstrip().endswith("thing 0")


def test_a_disabled_hint_differs_by_more_than_colour() -> None:
    assert "(d drop)" in said(footer_line([Hint("d", "drop", enabled=False)], 40))
