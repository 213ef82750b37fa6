"""Asking models for real: one, or two side by side, until they have answered or are stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from costconsole.console.lab import Lab, Sent
from costconsole.console.screens.lab_answer import Coming
from costconsole.domain.errors import Problem
from costconsole.gateway.checked import Check


class Trial:
    """Models being asked. `timer` counts seconds; `changed` is called at the end of each answer."""

    def __init__(
        self,
        lab: Lab,
        checks: Sequence[Check],
        changed: Callable[[], None],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.checks = tuple(checks)
        self._lab, self._changed, self._timer = lab, changed, timer
        self._began = timer()
        self._texts: list[list[str]] = [[] for _ in checks]
        self._first: list[float | None] = [None for _ in checks]
        self.sent: list[Sent | None] = [None for _ in checks]
        self.note = ""
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="lab trial")

    @property
    def running(self) -> bool:
        return any(sent is None for sent in self.sent)

    @property
    def elapsed_ms(self) -> float:
        return (self._timer() - self._began) * 1000.0

    @property
    def comings(self) -> tuple[Coming, ...]:
        """The answers as they stand now."""
        return tuple(
            Coming(
                check.route.model or check.model,
                "".join(texts),
                self.elapsed_ms,
                first,
                sent,
                self.note,
            )
            for check, texts, first, sent in zip(
                self.checks, self._texts, self._first, self.sent, strict=True
            )
        )

    def stop(self) -> None:
        """Keep what came, and ask no further."""
        self._stop.set()

    async def settle(self) -> None:
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        await asyncio.gather(*(self._ask(at) for at in range(len(self.checks))))

    async def _ask(self, at: int) -> None:
        check = self.checks[at]

        def came(text: str) -> None:
            if self._first[at] is None:
                self._first[at] = self.elapsed_ms
            self._texts[at].append(text)

        failed = Sent(text="", model=check.model, provider=check.provider)
        try:
            missing = check.route.missing_key
            if missing:
                why = f"no API key: set {missing} in the environment" if " " not in missing else missing
                self.sent[at] = replace(failed, error=why)
            else:
                self.sent[at] = await self._lab.send(check, came, self._stop)
        except Problem as problem:
            self.sent[at] = replace(failed, error=str(problem))
        except Exception as error:
            self.sent[at] = replace(failed, error=f"an error inside the console ({type(error).__name__})")
            asyncio.get_running_loop().call_exception_handler({"message": "lab", "exception": error})
        self._changed()
