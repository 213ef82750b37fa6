"""The process that makes the demo's calls: `python -m costconsole.demo.drive`, started by `demo.run`.

Standard input tells it what to do: a line of JSON (`Orders`), then a line with the URL of Redis, then
`stop` for an orderly end. The end of the file means that the parent is gone, and it ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import threading
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from costconsole.demo.orders import Orders
from costconsole.demo.stand_in import StandIn
from costconsole.demo.traffic import Ask, asks
from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import Embedder
from costconsole.embedding.factory import make_embedder

if TYPE_CHECKING:
    from costconsole.gateway.pipeline import Gateway

_HEAVY = ("costconsole.gateway.pipeline", "costconsole.ledger.ledger", "redisvl.schema", "redisvl.query")
THRESHOLD = 0.95
TTL_S = 600
_MOST_OPEN = 400
_FLUSH_S = 0.25
_PROVIDER_S = 20.0
_WARM_S = 1.5
_FINISH_S = 2.0
_END_S = 3.0
_LATE_S = 0.5


class _Stop:
    """What standard input says after the orders: `asked` an orderly end, or `gone` without a word."""

    def __init__(self, stdin: BinaryIO, folder: str) -> None:
        self.asked = asyncio.Event()
        self.gone = False
        self._stdin = stdin
        self._folder = folder
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, args=(loop,), name="parent", daemon=True).start()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self.gone = self._stdin.readline() == b""
        with contextlib.suppress(RuntimeError):  # The loop has ended by itself.
            loop.call_soon_threadsafe(self.asked.set)
        if not self.gone:
            self.gone = self._stdin.readline() == b""
        # Whatever still hangs then, nobody waits for it.
        threading.Event().wait(_END_S)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(1)


async def drive(orders: Orders, url: str, embedder: Embedder, stand_in: StandIn, stdin: BinaryIO) -> None:
    """Make calls until told otherwise. Raises Problem when Redis can't be reached."""
    stop = _Stop(stdin, orders.folder)
    async with _gateway(orders, url, embedder, stand_in) as gateway:
        # With the model still being prepared for the first time, calls begin without it.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.create_task(gateway.awarm())), _WARM_S)
        _step_back(embedder)
        open_calls: set[asyncio.Task[None]] = set()
        async for ask in _paced(orders, stop.asked):
            if len(open_calls) < _MOST_OPEN:
                stand_in.tell(ask.prompt, ask.answer)
                task = asyncio.create_task(_call(gateway, ask))
                open_calls.add(task)
                task.add_done_callback(open_calls.discard)
        if open_calls and not stop.gone:
            await asyncio.wait(open_calls, timeout=_FINISH_S)
        # Calls that nobody waits for any more are no errors: the books are closed before they are cancelled.
        await asyncio.to_thread(gateway.ledger.close)
        for task in list(open_calls):
            task.cancel()


def _step_back(embedder: Embedder) -> None:
    """From here on the screen comes first; until here everybody waits for the first calls."""
    for pid in (0, getattr(embedder, "worker_pid", None)):
        if pid is not None:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, pid, 5)


async def _paced(orders: Orders, stop: asyncio.Event) -> AsyncIterator[Ask]:
    """The calls, each at its time. After a delay (a sleeping laptop) it goes on, and doesn't catch up."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for ask in asks(orders.rate, orders.seed):
        if orders.seconds and ask.at_s > orders.seconds:
            await stop.wait()
        wait_s = start + ask.at_s - loop.time()
        if wait_s < -_LATE_S:
            start -= wait_s
        elif wait_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)
        if stop.is_set():
            return
        yield ask


async def _call(gateway: Gateway, ask: Ask) -> None:
    from costconsole.gateway.errors import ProviderError

    # What a provider refuses or fails at is in the ledger; the caller has to live with it.
    with contextlib.suppress(ProviderError):
        await gateway.acomplete(
            ask.prompt,
            system=ask.system,
            model=ask.model,
            provider=ask.provider,
            tag=ask.tag,
            route=ask.route,
            tenant=ask.tenant,
            cache=ask.use_cache,
            **ask.params,
        )


@contextlib.asynccontextmanager
async def _gateway(orders: Orders, url: str, embedder: Embedder, stand_in: StandIn) -> AsyncIterator[Gateway]:
    from costconsole.gateway.pipeline import Gateway
    from costconsole.gateway.provider import Provider
    from costconsole.gateway.retry import RetryPolicy
    from costconsole.ledger.ledger import Ledger
    from costconsole.ledger.prices import PriceBook

    _begin_policy(url, orders.namespace)
    retry = RetryPolicy(retries=1, first_s=0.2)
    providers = [
        Provider(
            name,
            "anthropic" if name == "anthropic" else "openai",
            base_url=stand_in.url if name == "anthropic" else stand_in.url + "/v1",
            api_key="stand-in",
            timeout_s=_PROVIDER_S,
            retry=retry,
        )
        for name in ("openai", "anthropic", "groq", "vllm")
    ]
    ledger = Ledger(
        url,
        orders.namespace,
        prompts=orders.prompts,
        redact=orders.redact,
        flush_s=_FLUSH_S,
        spool_dir=Path(orders.folder),
    )
    prices = PriceBook(orders.prices)
    async with Gateway(
        url,
        namespace=orders.namespace,
        providers=providers,
        embedder=embedder,
        ledger=ledger,
        prices=prices,
        routing=orders.routing or None,
        ttl_s=TTL_S,
    ) as gateway:
        yield gateway


def _begin_policy(url: str, namespace: str) -> None:
    """The policy to start with, so that there is one to look at and to change; a kept one stays."""
    from costconsole.cache.policy import Author, read_policy, write_policy
    from costconsole.redis_store.connect import connect
    from costconsole.redis_store.keys import Keys
    from costconsole.redis_store.target import parse_target

    keys = Keys(namespace)
    with connect(parse_target(url)) as client:
        if read_policy(client, keys).version == 0:
            changes = {"threshold": THRESHOLD, "ttl_s": TTL_S}
            write_policy(client, keys, changes, Author("demo", "localhost"), why="the demo begins")


def main() -> int:
    stdin = sys.stdin.buffer
    orders = Orders.from_line(stdin.readline())
    embedder = make_embedder(orders.model)
    embedder.start()
    stand_in = StandIn(orders.seed)
    # Redis is starting meanwhile: what takes its time to load is here when its address comes.
    for module in _HEAVY:
        import_module(module)
    url = stdin.readline().decode().strip()
    try:
        if url:
            asyncio.run(drive(orders, url, embedder, stand_in, stdin))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    finally:
        stand_in.close()
        embedder.close()
        # A parent that was killed can't do it.
        shutil.rmtree(orders.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    code = main()
    # The watching thread still reads standard input: the interpreter must not wait for it.
    sys.stderr.flush()
    os._exit(code)
