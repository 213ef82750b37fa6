"""What the ledger costs: the caller, the flusher, the server, and the console that reads it.

    python -m benchmarks.ledger [--seconds S] [--rate CALLS_PER_S]

Everything is a ratio to a floor that is measured in the same run. Milliseconds depend on the machine and
on its neighbours; the smallest of several rounds is shown where it says `min`.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio

from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.call import Call, CostStatus, Outcome, Savings
from costconsole.domain.window import parse_window
from costconsole.ledger.batch import SLICE, encode
from costconsole.ledger.ledger import Ledger
from costconsole.ledger.reader import LedgerReader
from costconsole.ledger.sender import Sender
from costconsole.ledger.transaction import transaction
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target

KEYS = Keys("bench")
RNG = random.Random(7)
MODELS = [f"model-{n}" for n in range(20)]
ROUTES, TAGS = ["chat", "code", "summary"], ["search", "support", "app", "docs"]
NEIGHBORS = [f"costconsole:{{bench}}:semantic:{uuid.uuid4().hex}" for _ in range(5_000)]
PREVIEW = "How do I get a refund for an order which has not yet been shipped?"


def some_call(ts_ms: int) -> Call:
    """A call as an application makes them: 21 to 23 fields in the stream."""
    draw = RNG.random()
    neighbor = NEIGHBORS[min(int(RNG.paretovariate(0.9)), len(NEIGHBORS)) - 1]
    common: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "ts_ms": ts_ms,
        "model": MODELS[min(int(RNG.expovariate(0.25)), 19)],
        "provider": "openai",
        "route": RNG.choice(ROUTES),
        "tag": RNG.choice(TAGS),
        "threshold": 0.95,
        "similarity": round(0.5 + draw / 2, 6),
        "neighbor": neighbor,
        "cost_status": CostStatus.CATALOG,
        "price_version": "genai-prices 0.2.3",
        "price_input": 2_500_000_000,
        "price_output": 10_000_000_000,
        "scope": "5d41402abc4b2a76",
        "preview": PREVIEW,
    }
    tokens, made = RNG.randint(40, 900), RNG.randint(20, 400)
    cost = tokens * 2_500 + made * 10_000
    if draw < 0.45:
        return Call(
            outcome=Outcome.SEMANTIC,
            input_saved=tokens,
            output_saved=made,
            latency_ms=RNG.lognormvariate(2.4, 0.3),
            cache_key=neighbor,
            spend_nano=0,
            baseline_nano=cost,
            savings=Savings(semantic=cost),
            **common,
        )
    return Call(
        outcome=Outcome.MISS,
        input=tokens,
        output=made,
        latency_ms=RNG.lognormvariate(6.8, 0.5),
        spend_nano=cost,
        baseline_nano=cost,
        **common,
    )


def server_cpu_s(client: Any) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def best(work: Callable[[], object], rounds: int = 7) -> float:
    """The fewest CPU seconds of several rounds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def show(
    what: str, value: float, unit: str, floor: float | None = None, of: str = "", goal: str = ""
) -> None:
    ratio = f"{value / floor:6.2f}x {of}" if floor else ""
    print(f"  {what:<44} {value:9.3f} {unit:<9} {ratio:<34} {goal}")


def recording(folder: str, server: EmbeddedRedis) -> None:
    """What a caller pays."""
    now = time.time_ns() // 1_000_000
    calls = [some_call(now) for _ in range(20_000)]
    plain: queue.SimpleQueue[Call] = queue.SimpleQueue()

    def floor() -> None:
        for call in calls:
            plain.put(call)

    with Ledger(server.url, "bench", spool_dir=folder, flush_s=3600, max_buffer=10**7) as ledger:

        def record() -> None:
            for call in calls:
                ledger.record(call)

        base, mine = best(floor), best(record)
        ledger._queue.clear()
    print("record(), for the caller")
    show("SimpleQueue.put", base / len(calls) * 1e6, "us")
    floor_us = base / len(calls) * 1e6
    show("Ledger.record", mine / len(calls) * 1e6, "us", floor_us, "SimpleQueue.put", "goal: <= 10 us")


def sustained(folder: str, server: EmbeddedRedis, rate: int, seconds: float) -> None:
    """One process at a given rate, beside everything else on this machine."""
    client = redis.Redis.from_url(server.url, protocol=2)
    client.flushall()
    pool = [some_call(0) for _ in range(5_000)]
    from dataclasses import replace

    with Ledger(server.url, "bench", spool_dir=folder) as ledger:
        for call in pool[:SLICE]:
            ledger.record(replace(call, ts_ms=time.time_ns() // 1_000_000))
        ledger.flush()
        before, spent, own = server_cpu_s(client), 0.0, 0.0
        start, done = time.monotonic(), 0
        while (elapsed := time.monotonic() - start) < seconds:
            due = int(elapsed * rate) - done
            batch = [replace(pool[(done + n) % 5_000], ts_ms=time.time_ns() // 1_000_000) for n in range(due)]
            cpu = time.thread_time()
            for call in batch:
                ledger.record(call)
            own += time.thread_time() - cpu
            done += due
            time.sleep(0.005)
        spent = time.monotonic() - start
        behind = ledger.status.pending
        flushed = ledger.flush(20)
        status = ledger.status
    cpu_us = (server_cpu_s(client) - before) / done * 1e6
    print(f"sustained: {done:,} calls in {spent:.1f} s from one process, stream on")
    show("calls a second", done / spent, "1/s", goal="goal: 20,000")
    show("waiting at the end", behind, "calls", goal="at most what a second brings")
    show("server CPU a call", cpu_us, "us", goal="goal: <= 6 us")
    show("record(), while it flushes", own / done * 1e6, "us", goal="goal: <= 10 us")
    assert flushed
    assert status.dropped == status.rejected == 0
    assert (
        int(client.hget(KEYS.root + f"day:{time.time_ns() // 86_400_000_000_000}", "calls|total|") or 0)
        == done + SLICE
    )


def server_side(server: EmbeddedRedis, rounds: int = 9) -> None:
    """Server CPU of a flush of 20,000 calls, against the same stream entries and nothing else."""
    client = redis.Redis.from_url(server.url, protocol=2)
    now = time.time_ns() // 1_000_000
    calls = [some_call(now) for _ in range(20_000)]
    entries = [[text for pair in call.to_fields().items() for text in pair] for call in calls[:SLICE]]
    sender = Sender(parse_target(server.url), KEYS)

    def added() -> int:
        pipe = client.pipeline(transaction=False)
        for entry in entries:
            pipe.execute_command("XADD", "{bench}floor", "MAXLEN", "~", 100_000, "*", *entry)
        pipe.execute()
        return len(entries)

    def short() -> int:
        pipe = client.pipeline(transaction=False)
        for entry in entries:
            pipe.execute_command("XADD", "{bench}floor12", "MAXLEN", "~", 100_000, "*", *entry[:24])
        pipe.execute()
        return len(entries)

    def flush(number: int) -> Callable[[], int]:
        def run() -> int:
            recorded = [(call, call.cache_key) for call in calls[:number]]
            for batch in encode(recorded, uuid.uuid4().hex, 1, now):
                assert sender.send(batch)
            return number

        return run

    works = {"entries": added, "12 fields": short, "20,000": flush(20_000), "2,000": flush(2_000)}
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            before = server_cpu_s(client)
            number = work()
            found[name].append((server_cpu_s(client) - before) / number * 1e6)
            client.delete("{bench}floor", "{bench}floor12", KEYS.calls)
    base = min(found["entries"])
    print(f"server CPU a call, min of {rounds} rounds ({len(entries[0]) // 2} fields a call)")
    show("XADD alone, 12 of the fields, pipelined", min(found["12 fields"]), "us", base, "XADD")
    show("XADD alone, all fields, pipelined", base, "us")
    show("flush of 20,000 calls, rollups and all", min(found["20,000"]), "us", base, "XADD", "goal: <= 6 us")
    show("flush of 2,000 calls, rollups and all", min(found["2,000"]), "us", base, "XADD")
    start = time.process_time()
    for batch in encode([(call, "") for call in calls], "w", 1, now):
        transaction(batch, KEYS, lambda *_: False, now)
    show("client CPU to encode a call", (time.process_time() - start) / len(calls) * 1e6, "us")


async def reading(folder: str, server: EmbeddedRedis) -> None:
    """What the console pays for a refresh: 20 models, an hour of minutes."""
    client = redis.asyncio.Redis.from_url(server.url, protocol=2)
    await client.flushall()
    now = time.time_ns() // 1_000_000
    with Ledger(server.url, "bench", spool_dir=folder, flush_s=3600) as ledger:
        for minute in range(60):
            for _ in range(400):
                ledger.record(some_call(now - minute * 60_000))
        for hour in range(1, 48):
            for _ in range(300):
                ledger.record(some_call(now - hour * 3_600_000))
        assert ledger.flush(30)
        reader = LedgerReader(client, KEYS)
        at = now // 60_000 * 60_000 + 30_000
        newest = KEYS.root + f"minute:{now // 60_000}"
        results: dict[str, list[tuple[float, float]]] = {}

        async def timed(name: str, work: Any) -> Any:
            cpu, wall = time.process_time(), time.perf_counter()
            found = await work
            results.setdefault(name, []).append(
                ((time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3)
            )
            return found

        async def sixty() -> None:
            pipe = client.pipeline(transaction=False)
            for n in range(60):
                pipe.execute_command("HGETALL", KEYS.root + f"minute:{now // 60_000 - n}")
            total: dict[bytes, int] = {}
            for found in await pipe.execute():
                for name, value in found.items():
                    total[name] = total.get(name, 0) + int(value)

        async def day() -> None:
            pipe = client.pipeline(transaction=False)
            for n in range(24):
                pipe.execute_command("HGETALL", KEYS.root + f"hour:{now // 3_600_000 - n}")
            total: dict[bytes, int] = {}
            for found in await pipe.execute():
                for name, value in found.items():
                    total[name] = total.get(name, 0) + int(value)

        hour_window, day_window = parse_window("1h"), parse_window("24h")
        for _ in range(3):
            reader.invalidate()
            await timed("first 1h", reader.view(hour_window, now_ms=at))
            await timed("sixty", sixty())
            reader.invalidate()
            await timed("first 24h", reader.view(day_window, now_ms=at))
            await timed("day", day())
        await reader.view(hour_window, now_ms=at)
        for step in range(40):
            for _ in range(50):
                ledger.record(some_call(now))
            assert ledger.flush()
            await timed("get", client.hgetall(newest))
            await timed("busy", reader.view(hour_window, now_ms=at + step))
            await timed("idle", reader.view(hour_window, now_ms=at + step))
    cpu = {name: statistics.median(c for c, _ in found) for name, found in results.items()}
    wall = {name: statistics.median(w for _, w in found) for name, found in results.items()}
    fields = await client.hlen(newest)
    print(f"reading: 20 models, {fields} fields in the open minute (CPU of this process, medians)")
    show("one HGETALL of the open minute", cpu["get"], "ms")
    show("refresh, 50 new calls since the last", cpu["busy"], "ms", cpu["get"], "HGETALL", "goal: <= 10 ms")
    show("refresh, nothing new", cpu["idle"], "ms", cpu["get"], "HGETALL")
    show("refresh, wall", wall["busy"], "ms", wall["get"], "HGETALL")
    show("60 HGETALL and the sum of their fields", cpu["sixty"], "ms")
    show("first view of 1h", cpu["first 1h"], "ms", cpu["sixty"], "60 HGETALL + sum")
    show("24 HGETALL of hours and the sum", cpu["day"], "ms")
    show("first view of 24h", cpu["first 24h"], "ms", cpu["day"], "24 HGETALL + sum")
    await client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis() as server:
        recording(folder, server)
        server_side(server)
        sustained(folder, server, options.rate, options.seconds)
        asyncio.run(reading(folder, server))


if __name__ == "__main__":
    main()
