"""The last calls of a ledger, read page by page, under another routing config or at other prices."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from costconsole.domain.call import Call
from costconsole.domain.errors import UsageProblem
from costconsole.ledger.view import parse_call
from costconsole.redis_store.replies import pairs, text
from costconsole.routing.model import RoutingConfig
from costconsole.routing.whatif import Comparison, Decided, PricesOf, WhatIf, kept_whole

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedding
    from costconsole.redis_store.keys import Keys
    from costconsole.routing.router import Router

LAST: Final = 10_000
MOST: Final = 1_000_000
_PAGE: Final = 1_000
_BATCH: Final = 32
"""Prompts that are embedded at once: after so many it can be stopped."""
_LONGEST: Final = 1_000_000
Overrides = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`old` is the config that these calls were made under, `new` the other one; of each its own prices, and
    above them those of `prices` before and `other_prices` after (None: the same)."""

    old: RoutingConfig
    new: RoutingConfig
    last: int = LAST
    prices: Overrides = field(default_factory=dict)
    other_prices: Overrides | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: calls looked at, of so many at most, and prompts that were routed anew."""

    done: int
    total: int
    routed: int = 0


async def replay(
    client: Any,
    keys: Keys,
    question: Question,
    embedder: Any = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
) -> WhatIf:
    """What the last calls would have cost. `embedder` routes prompts that were kept, where routes differ;
    without one their calls stay unknown. `stop` ends it early with what is known by then. Reads only; errors
    of the client are the caller's.
    """
    before, after = await asyncio.to_thread(_prices, question)
    deciding = _Deciding(question, embedder)
    comparison = Comparison(question.old, question.new, before, after, deciding.decide)
    stop = stop or asyncio.Event()
    total = min(question.last, int(await client.execute_command("XLEN", keys.calls)))
    done = 0
    tell = on_progress or (lambda _progress: None)
    tell(Progress(0, total))
    async for calls in read_calls(client, keys, question.last):
        if embedder is not None:
            async for routed in deciding.prepare(await asyncio.to_thread(comparison.prompts, calls), stop):
                tell(Progress(done, total, routed))
        if stop.is_set():
            break
        await asyncio.to_thread(comparison.add, calls)
        done += len(calls)
        tell(Progress(done, total, deciding.routed))
    return comparison.result(complete=not stop.is_set())


async def read_calls(client: Any, keys: Keys, last: int) -> AsyncIterator[list[Call]]:
    """The newest `last` calls, newest first, in pages; entries that are no calls are left out."""
    end, left = "+", last
    while left > 0:
        page = await client.execute_command("XREVRANGE", keys.calls, end, "-", "COUNT", min(_PAGE, left))
        left -= len(page)
        found = await asyncio.to_thread(_parsed, page)
        if found:
            yield found
        if not page:
            return
        end = f"({text(page[-1][0])}"


def read_prices(path: str) -> dict[str, dict[str, Any]]:
    """A price list: a TOML file with tables `[prices."openai/gpt-4o"]` (as in the config file), or JSON.

    Raises UsageProblem for what can't be read.
    """
    from costconsole.ledger.prices import PriceBook

    file = Path(path).expanduser()
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LONGEST + 1)
    except OSError as error:
        raise UsageProblem(f"{path} can't be read: {error.strerror}") from None
    if len(raw) > _LONGEST:
        raise UsageProblem(f"{path} is larger than a price list: a megabyte at most")
    try:
        written = raw.decode()
        found = json.loads(written) if file.suffix == ".json" else tomllib.loads(written)
    except ValueError as error:
        raise UsageProblem(f"{path} can't be read: {error}") from None
    table = found.get("prices", found) if isinstance(found, dict) else None
    if not isinstance(table, dict) or not table or not all(isinstance(one, dict) for one in table.values()):
        raise UsageProblem(
            f'{path} has no prices: write [prices."openai/gpt-4o"] with input and output in $ per million'
        )
    try:
        PriceBook(table)
    except UsageProblem as problem:
        raise UsageProblem(f"{path}: {problem}") from None
    return table


def _parsed(page: Sequence[Any]) -> list[Call]:
    found = []
    for _id, stored in page:
        fields = stored
        if not isinstance(fields, Mapping):
            fields = {name.encode(): value for name, value in pairs(stored or ()).items()}
        call = parse_call(fields)
        if call is not None:
            found.append(call)
    return found


def _prices(question: Question) -> tuple[PricesOf, PricesOf]:
    """Prices before and after. In a thread: the catalogue takes a quarter of a second to be imported."""
    from costconsole.ledger.prices import PriceBook
    from costconsole.routing.endpoints import prices_of

    other = question.prices if question.other_prices is None else question.other_prices
    found: list[PricesOf] = []
    for config, overrides in ((question.old, question.prices), (question.new, other)):
        book = PriceBook(prices_of(config, overrides))
        found.append(_asking(book))
    return found[0], found[1]


def _asking(book: Any) -> PricesOf:
    def prices(provider: str, model: str, at_ms: int, tokens: int, processing: Any) -> Any:
        return book.prices(provider, model, at_ms=at_ms, input_tokens=tokens, processing=processing)

    return prices


class _Deciding:
    """What both configs' routers decide for kept prompts; each prompt is asked for once."""

    def __init__(self, question: Question, embedder: Any) -> None:
        self._question = question
        self._embedder = embedder
        self._routers: tuple[Router, Router] | None = None
        self._known: dict[tuple[str, str, str], tuple[Decided, Decided] | None] = {}
        self._vectors: dict[str, bytes] = {}

    @property
    def routed(self) -> int:
        return len(self._vectors)

    async def prepare(self, prompts: Sequence[str], stop: asyncio.Event) -> AsyncIterator[int]:
        """Embed the instructions of these, as far as they aren't yet; yields how many are by now."""
        from costconsole.routing.instruction import instruction_of

        wanted = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._vectors]
        if wanted and self._routers is None:
            self._routers = await asyncio.to_thread(self._start)
        for start in range(0, len(wanted), _BATCH):
            if stop.is_set():
                return
            some = wanted[start : start + _BATCH]
            texts = [instruction_of(({"role": "user", "content": prompt},)) for prompt in some]
            made: list[Embedding] = await self._embedder.aembed(texts)
            self._vectors.update((prompt, one.vector) for prompt, one in zip(some, made, strict=True))
            yield len(self._vectors)

    def decide(self, call: Call) -> tuple[Decided, Decided] | None:
        """What is decided for the prompt of a call; None where it isn't known well enough."""
        prompt = kept_whole(call.preview)
        if self._routers is None or prompt not in self._vectors:
            return None
        key = prompt, call.requested_model, call.tag
        if key not in self._known:
            self._known[key] = self._decided(*key)
        return self._known[key]

    def _start(self) -> tuple[Router, Router]:
        from costconsole.routing.router import Router

        question = self._question
        made = tuple(
            Router(replace(config, sticky_s=0), embedder=self._embedder)
            for config in (question.old, question.new)
        )
        for router in made:
            router.start()
        for router in made:
            router.wait()
        return made[0], made[1]

    def _decided(self, prompt: str, requested: str, tag: str) -> tuple[Decided, Decided] | None:
        from costconsole.routing.choice import Ask

        assert self._routers is not None
        found: list[Decided] = []
        for router in self._routers:
            ask = Ask(
                messages=({"role": "user", "content": prompt},),
                requested=requested,
                tag=tag,
                vector=self._vectors[prompt],
            )
            try:
                choice = router.decide(ask)
            except UsageProblem:
                # The old config doesn't know the name: only what the new one says counts.
                found.append(("", router.config.chosen(router.config.default)))
                continue
            if choice.needs_vector:
                return None
            found.append((choice.route, choice.model))
        return found[0], found[1]
