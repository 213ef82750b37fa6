"""Look at the console without a server: `python -m tests.console.show [VIEW] [SETTING=VALUE ...]`.

`VIEW` names a function of `tests.console.fakes`, such as `hostile_view`, or is `absent` (no ledger) or
`moving` (the default): figures that move once a second like those of real traffic, `rate=20` calls a second.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from costconsole.console.launch import run_console
from costconsole.settings import Settings
from tests.console import fakes
from tests.console.moving import MovingSource


def source_of(name: str, rate: float = 20.0, *, still: bool = False) -> fakes.FakeSource:
    """A source by the name of a view."""
    if name == "moving":
        return MovingSource(rate=rate, still=still)
    if name == "absent":
        return fakes.FakeSource(views=[lambda window: fakes.empty_view(window, present=False)])
    return fakes.FakeSource(views=[getattr(fakes, name)])


def main(arguments: list[str]) -> int:
    words = [word for word in arguments if "=" not in word]
    given: dict[str, Any] = dict(word.split("=", 1) for word in arguments if "=" in word)
    rate = float(given.pop("rate", 20))
    still = bool(given.pop("still", ""))
    if "refresh_s" in given:
        given["refresh_s"] = float(given["refresh_s"])
    settings = replace(Settings(timezone="Europe/Oslo"), **given)
    return run_console(settings, source_of(words[0] if words else "moving", rate, still=still))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
