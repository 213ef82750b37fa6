"""The console in a real terminal: how it comes, what it sends, and how it leaves."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest

from costconsole.console.terminal import colors
from costconsole.settings import state_dir
from tests.console.terminal import ROOT, Terminal

RUN = ("-m", "tests.console.on_terminal")
SGR = re.compile(rb"\x1b\[([\d;]*)m")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_restores_the_terminal(number: int, code: int) -> None:
    with Terminal([*RUN, "static"]) as terminal:
        terminal.until("gpt-4o")
        terminal.signal(number)
        assert terminal.wait() == code
        assert terminal.restored


def test_q_leaves_with_0_and_a_restored_terminal() -> None:
    with Terminal([*RUN, "static"]) as terminal:
        terminal.until("gpt-4o")
        terminal.type("q")
        assert terminal.wait() == 0
        assert terminal.restored


def test_a_crash_is_1_with_a_private_log_and_no_password() -> None:
    before = set(state_dir().glob("crash-*"))
    with Terminal([*RUN, "static"]) as terminal:
        terminal.until("gpt-4o")
        terminal.type("b")
        assert terminal.wait() == 1
        assert terminal.restored
        said = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    (log,) = set(state_dir().glob("crash-*")) - before
    assert str(log) in said.replace("\r\n", "")
    assert "Traceback" not in said
    written = log.read_text()
    assert "RuntimeError: boom" in written
    assert "hunter2" not in written + said
    assert log.stat().st_mode & 0o777 == 0o600
    assert state_dir().stat().st_mode & 0o777 == 0o700


def test_a_closed_terminal_ends_the_process() -> None:
    with Terminal([*RUN, "live", "refresh_s=0.5"]) as terminal:
        terminal.until("gpt-4o")
        terminal.hang_up()
        assert terminal.wait(5) in (129, 1)


def test_suspended_and_resumed_it_paints_again() -> None:
    with Terminal([*RUN, "static"]) as terminal:
        terminal.until("gpt-4o")
        terminal.settle()
        terminal.type("\x1a")
        end = time.monotonic() + 10
        while terminal.state != "T" and time.monotonic() < end:
            terminal.read(0.05)
        assert terminal.state == "T"
        assert terminal.restored
        terminal.screen.reset()
        terminal.signal(signal.SIGCONT)
        terminal.until("gpt-4o")
        terminal.type("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("term", ["xterm-256color", "dumb", ""])
def test_without_a_terminal_it_refuses_and_names_commands(term: str) -> None:
    """Standard output is a pipe in the first case; in the others the terminal can't show a screen."""
    if term == "xterm-256color":
        done = subprocess.run(
            [sys.executable, *RUN, "static"],
            cwd=ROOT,
            env={"TERM": term, "PATH": "/usr/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
        )
        code, out, said = done.returncode, done.stdout, done.stderr
        assert out == b""
    else:
        with Terminal([*RUN, "static"], env={"TERM": term}) as terminal:
            code = terminal.wait()
            said = terminal.raw
    assert code == 2
    assert b"\x1b" not in said
    assert b"costconsole stats" in said


def test_refusing_does_not_import_textual() -> None:
    program = (
        "import sys\n"
        "from costconsole.console.launch import run_console\n"
        "from costconsole.settings import Settings\n"
        "try: run_console(Settings())\n"
        "except Exception as e: print(e.exit_code)\n"
        "print([m for m in ('textual', 'redis', 'plotext', 'rich') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.stdout == "2\n[]\n"


def test_without_mouse_none_is_asked_for() -> None:
    with Terminal([*RUN, "static", "mouse=false"]) as terminal:
        terminal.until("gpt-4o")
        assert not re.search(rb"\x1b\[\?100[0236]h", terminal.raw)


def test_nothing_is_sent_when_nothing_changed() -> None:
    with Terminal([*RUN, "static", "refresh_s=0.5"]) as terminal:
        terminal.until("gpt-4o")
        terminal.settle(1.2)
        assert terminal.read(2.5) == b""


def test_nothing_is_sent_while_paused() -> None:
    with Terminal([*RUN, "live", "refresh_s=0.5"]) as terminal:
        terminal.until("gpt-4o")
        terminal.type(" ")
        terminal.until("paused")
        terminal.settle(0.6)
        assert terminal.read(2.5) == b""


def test_a_refresh_of_twenty_cells_is_small() -> None:
    with Terminal([*RUN, "live", "refresh_s=0.5"]) as terminal:
        terminal.until("gpt-4o-b")
        terminal.settle(0.2, timeout=3)
        sent = []
        for _ in range(6):
            while not (came := terminal.read(0.05)):
                pass
            sent.append(len(came + terminal.read(0.2)))
        assert sorted(sent)[len(sent) // 2] <= 2_200


def test_under_a_sheet_nothing_is_sent() -> None:
    with Terminal([*RUN, "live", "refresh_s=0.5"]) as terminal:
        terminal.until("gpt-4o")
        terminal.type("?")
        terminal.until("Everywhere")
        terminal.settle(0.6)
        assert terminal.read(1.5) == b""


def test_no_color_means_none() -> None:
    with Terminal([*RUN, "live"], env={"NO_COLOR": "1", "COLORTERM": "truecolor"}) as terminal:
        terminal.until("gpt-4o")
        terminal.type("j")
        terminal.settle(0.3, timeout=2)
        codes = {int(code) for sgr in SGR.findall(terminal.raw) for code in sgr.split(b";") if code}
        assert codes <= {0, 1, 2, 3, 4, 7}
        assert 7 in codes, "the cursor's row differs by more than colour"


@pytest.mark.parametrize(
    ("term", "colorterm"),
    [("xterm", ""), ("screen-256color", ""), ("xterm-256color", ""), ("xterm-256color", "truecolor")],
)
def test_no_text_is_invisible(term: str, colorterm: str) -> None:
    with Terminal([*RUN, "static"], env={"TERM": term, "COLORTERM": colorterm}) as terminal:
        terminal.until("gpt-4o")
        terminal.type("j")
        terminal.settle()
        for row in terminal.screen.buffer.values():
            for cell in row.values():
                if cell.data.strip() and cell.data not in "█▆▅▄▃▂▁▇":
                    assert cell.fg != cell.bg or cell.fg == "default", cell
        if term == "xterm":
            assert b"38;" not in terminal.raw
            assert b"48;" not in terminal.raw


def test_ascii_draws_with_ascii() -> None:
    with Terminal([*RUN, "static", "charset=ascii"]) as terminal:
        terminal.until("gpt-4o")
        terminal.type("?")
        terminal.until("Everywhere")
        assert terminal.raw.isascii()


def test_hostile_text_sends_no_sequence_of_its_own() -> None:
    with Terminal([*RUN, "hostile"]) as terminal:
        terminal.until("model")
        terminal.settle()
        assert b"\x1b]52" not in terminal.raw
        assert b"\x1b]0;" not in terminal.raw
        assert b"\x1b[2J" not in terminal.raw
        assert b"\xc2\x9b" not in terminal.raw
        # Textual itself resets the pointer's shape, with a BEL at the end.
        assert b"\x07" not in terminal.raw.replace(b"\x1b]22;default\x07", b"")


def test_a_storm_of_resizes_ends_in_a_right_screen() -> None:
    with Terminal([*RUN, "live", "refresh_s=0.5"]) as terminal:
        terminal.until("gpt-4o")
        for i in range(50):
            terminal.resize(80 + i % 7 * 10, 24 + i % 5)
        terminal.resize(100, 30)
        terminal.until(r"(?m)^ \? help  : commands.*\Z")
        terminal.settle(0.2, timeout=2)
        assert "live" in terminal.screen.display[0]
        assert terminal.screen.display[-1].startswith(" ? help")
        terminal.type("q")
        assert terminal.wait() == 0


def test_how_many_colours_a_terminal_has() -> None:
    assert colors({"TERM": "xterm"}) == 16
    assert colors({"TERM": "xterm-256color"}) == 256
    assert colors({"TERM": "xterm", "COLORTERM": "truecolor"}) == 1 << 24
    assert colors({"TERM": "xterm-256color", "NO_COLOR": "1", "COLORTERM": "truecolor"}) == 0
    assert colors({"TERM": "xterm-256color", "NO_COLOR": ""}) == 256
