"""The console on a fake source: `python -m tests.console.on_terminal MODE [SETTING=VALUE ...]`.

Modes: `static` figures never change, `live` ones do at every refresh, `hostile` ones attack, and
`real-pages` are live figures on our own pages.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

from costconsole.console import pages
from costconsole.console.launch import run_console
from costconsole.domain.errors import Problem
from costconsole.domain.figures import LedgerView
from costconsole.domain.window import Window
from costconsole.settings import load_settings
from tests.console import fakes


class LiveSource(fakes.FakeSource):
    """Ten models, whose calls and spend grow with every refresh: 20 cells of a table change."""

    tick = itertools.count(1)

    async def view(self, window: Window) -> LedgerView:
        n = next(self.tick)
        view = fakes.view(window)
        models = tuple(
            replace(s, value=f"{s.value}-{half}", figures=s.figures + fakes.figures(n))
            for s in view.by["model"]
            for half in ("a", "b")
        )
        return replace(view, by={**view.by, "model": models}, total=view.total + fakes.figures(n))


def main() -> int:
    mode, *flags = sys.argv[1:]
    if mode != "real-pages":
        from tests.console.plain_pages import PLAIN_PAGES

        pages.PAGES = PLAIN_PAGES
    sources = {"static": fakes.FakeSource, "live": LiveSource, "real-pages": LiveSource}
    source = sources.get(mode, fakes.FakeSource)()
    if mode == "hostile":
        source.views = [fakes.hostile_view]
    settings = load_settings(dict(flag.split("=", 1) for flag in flags))
    try:
        return run_console(settings, source)
    except Problem as problem:
        print(f"costconsole: {problem}", file=sys.stderr)
        return int(problem.exit_code)


if __name__ == "__main__":
    sys.exit(main())
