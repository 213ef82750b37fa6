"""Frozen checks, and a lab that answers with them, at once or when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from costconsole.cache.cacheable import Cacheability
from costconsole.cache.request import Request
from costconsole.console.lab import Question, Sent, Stored
from costconsole.domain.call import Usage
from costconsole.domain.errors import Problem
from costconsole.domain.figures import LedgerView, Policy
from costconsole.gateway.checked import CacheCheck, Check, Near, Prepared, Priced, Routed, Shortened
from costconsole.prompt.diff import Line, diff
from costconsole.prompt.minimize import Step
from tests.console import fakes

KEY = "costconsole:{support}:exact:" + "9f86d081884c7d65" * 4
QUESTION = "Can I get   a refund after 60 days?"
SHORT = "Can I get a refund after 60 days?"


def near(at: int, similarity: float, prompt: str, **more: object) -> Near:
    key = "costconsole:{support}:semantic:" + f"{at:064x}"
    return Near(key=key, similarity=similarity, prompt=prompt, model="gpt-4o", **more)  # type: ignore[arg-type]


OWN = CacheCheck(
    name="support:semantic",
    library="costconsole",
    own=True,
    threshold=0.93,
    source="policy",
    why="the nearest prompt has similarity 0.981, but is refused: numbers differ: 60 / 30",
    near=(
        near(1, 0.981, "Can I get a refund after 30 days?", verdict="refused", guards=("numbers",),
             why="numbers differ: 60 / 30", ttl_ms=432_000_000),
        near(2, 0.951, "How long can I ask for a refund?", verdict="scope",
             why="asked in another scope: model, system prompt, parameters or tenant differ"),
        near(3, 0.912, "When is it too late for a refund?", why="below the threshold 0.93"),
        near(4, 0.87, "Refunds for annual plans", verdict="expired", why="its vector is still there, but its "
             "answer is gone"),
        near(5, 0.744, "What does shipping cost?", why="below the threshold 0.93"),
    ),
)  # fmt: skip
FOREIGN = CacheCheck(
    name="llmcache",
    library="redisvl",
    own=False,
    threshold=0.9,
    source="default",
    hit=True,
    near=(
        near(6, 0.944, "refund after sixty days", verdict="served"),
        near(7, 0.9, "refund period", verdict="passes", why="a nearer one is served"),
    ),
)
COSTS = (
    Priced("gpt-4o-mini", 79_900, "openai", 39_950, False, "gpt-4o-mini"),
    Priced("claude-3-haiku-20240307", 170_000, "anthropic", 85_000, True, "claude-3-haiku", False, False,
           "ANTHROPIC_API_KEY"),
    Priced("gpt-4o", 1_330_000, "openai", 665_000, False, "gpt-4o", True, True),
    Priced("house-7b", None, "house", None, False, "house-7b"),
)  # fmt: skip
PREPARED = Prepared(
    Request(model="auto", messages=({"role": "user", "content": SHORT},)),
    Request(model="auto", messages=({"role": "user", "content": QUESTION},)),
    Policy(threshold=0.93, ttl_s=604_800),
    2,
    Cacheability(True, True),
    QUESTION,
    "9f86d081884c7d65" * 4,
    "3fa9" * 8,
    b"\0" * 1536,
)
CHECK = Check(
    model="gpt-4o",
    provider="openai",
    prompt_tokens=11,
    input_tokens=16,
    tokens_estimated=False,
    output_tokens=130,
    minimized_text=SHORT,
    minimized_tokens=9,
    exact_hit=False,
    exact_key=KEY,
    exact_why="nothing is stored for just this request",
    semantic_hit=False,
    semantic_why=OWN.why,
    threshold=0.93,
    neighbors=(),
    refused={OWN.near[0].key: ("numbers",)},
    cost_nano=1_330_000,
    costs=COSTS,
    shortened=Shortened(
        text=SHORT, before=18, after=16, estimated=False, steps=(Step("white space", 2, 2),), level="safe"
    ),
    exact_parts=(("messages", "user: minimized"), ("model", "auto"), ("tenant", "none")),
    caches=(OWN, FOREIGN),
    route=Routed(
        name="answers",
        task="qa",
        model="gpt-4o",
        provider="openai",
        provider_model="gpt-4o",
        tier="strong",
        kind="task",
        reason="it looks like reasoning (62%): strong model",
        scores={"answers": 0.21, "reasoning": 0.62, "writing": 0.05},
        similarity=0.41,
        fallbacks=("claude-3-5-sonnet",),
        config="routing.yaml",
        version="051027ad8201",
    ),
    took_ms=9.2,
    prepared=PREPARED,
)
EXACT = replace(CHECK, exact_hit=True, exact_why="", cost_nano=0)
KEYLESS = replace(CHECK, route=replace(CHECK.route, missing_key="OPENAI_API_KEY"))


def hostile(text: str) -> Check:
    """A check in which everything that can be text is this one."""
    own = replace(
        OWN, name=text, why=text, near=tuple(replace(one, prompt=text, why=text) for one in OWN.near)
    )
    return replace(
        CHECK,
        exact_why=text,
        exact_parts=((text, text),),
        caches=(own,),
        minimized_text=text,
        costs=tuple(replace(row, name=text) for row in COSTS),
        route=replace(CHECK.route, name=text, reason=text, model=text, scores={text: 0.5}, config=text),
        problem=text,
    )


@dataclass
class FakeLab:
    """Answers every question with `found`; waits for `gate` before each answer, if there is one.

    What is sent comes as `pieces`; `hold` keeps the stream open after them; `error` ends it.
    """

    found: Check = CHECK
    gate: asyncio.Semaphore | None = None
    problem: Problem | None = None
    pieces: tuple[str, ...] = ("Thirty ", "days, ", "**no** more.")
    hold: asyncio.Event | None = None
    error: str = ""
    no_store: str = ""
    asked: list[Question] = field(default_factory=list)
    answered: list[Question] = field(default_factory=list)
    sent: list[Check] = field(default_factory=list)
    stored: list[Sent] = field(default_factory=list)
    taken_back: list[Stored] = field(default_factory=list)

    async def models(self) -> Sequence[str]:
        return ("auto", "gpt-4o-mini", "claude-3-haiku", "gpt-4o", "house-7b")

    async def check(self, question: Question, view: LedgerView | None) -> Check:
        self.asked.append(question)
        if self.gate is not None:
            await self.gate.acquire()
        if self.problem is not None:
            raise self.problem
        self.answered.append(question)
        if question.model and question.model != "auto":
            route = Routed(model=question.model, provider="openai", provider_model=question.model)
            return replace(self.found, model=question.model, route=route)
        return self.found

    async def diff(self, before: str, after: str) -> Sequence[Line]:
        return diff(before, after)

    async def send(self, checked: Check, on_text: Callable[[str], None], stop: asyncio.Event) -> Sent:
        self.sent.append(checked)
        for piece in self.pieces:
            on_text(piece)
        text = "".join(self.pieces)
        if self.hold is not None:
            waits = [asyncio.ensure_future(self.hold.wait()), asyncio.ensure_future(stop.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in waits:
                one.cancel()
        return Sent(
            text=text,
            model=checked.model,
            provider="openai",
            first_ms=212.0,
            total_ms=1_430.0,
            usage=Usage(input=16, output=7, estimated=stop.is_set()),
            cost_nano=110_000,
            finish="" if self.error else "stop",
            error=self.error,
            stopped=stop.is_set(),
        )

    def why_not_store(self, checked: Check, sent: Sent) -> str:
        return self.no_store

    async def store(self, checked: Check, sent: Sent) -> Stored:
        self.stored.append(sent)
        return Stored((KEY,), (None,))

    async def take_back(self, stored: Stored) -> None:
        self.taken_back.append(stored)


@dataclass
class LabSource(fakes.FakeSource):
    lab: FakeLab = field(default_factory=FakeLab)
