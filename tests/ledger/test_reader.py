"""The view says what the stream says, and a refresh asks only for what changed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis.exceptions

from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.call import Call, CostStatus, Outcome
from costconsole.domain.figures import Figures, LedgerView
from costconsole.domain.window import WINDOWS, Window, parse_window
from costconsole.ledger.ledger import Ledger
from costconsole.ledger.reader import LedgerReader, read_view
from costconsole.ledger.view import Frame, midnight_ms
from costconsole.redis_store.keys import Keys
from tests.ledger.calls import hit, key_of, make_call, recount
from tests.ledger.recounting import KEYS

NOW = time.time_ns() // 1_000_000
HOUR = parse_window("1h")


@pytest.fixture
def ledger(redis_url: str, tmp_path: Path) -> Any:
    with Ledger(redis_url, spool_dir=tmp_path / "spool", flush_s=60) as ledger:
        yield ledger


def some_calls(number: int, newest_ms: int, span_ms: int, seed: int = 1) -> list[Call]:
    """A mixed lot: hits, errors, unpriced calls, several models, routes and tags."""
    rng = random.Random(seed)
    found = []
    for _ in range(number):
        ts_ms = newest_ms - rng.randrange(span_ms)
        tag = rng.choice(["search", "support", ""])
        if rng.random() < 0.4:
            found.append(hit(ts_ms=ts_ms, tag=tag, model=rng.choice(["gpt-4o", "llama-3-8b"])))
        elif rng.random() < 0.1:
            found.append(
                make_call(
                    ts_ms=ts_ms,
                    model="home-made",
                    cost_status=CostStatus.UNPRICED,
                    spend_nano=None,
                    baseline_nano=None,
                )
            )
        else:
            found.append(
                make_call(
                    ts_ms=ts_ms,
                    tag=tag,
                    model=rng.choice(["gpt-4o", "claude-sonnet-4-5", "llama-3-8b"]),
                    route=rng.choice(["chat", "code"]),
                    outcome=rng.choice([Outcome.MISS, Outcome.BYPASS]),
                    latency_ms=rng.lognormvariate(6.5, 0.8),
                    error=rng.choice(["", "", "timeout"]),
                    input=rng.randrange(5000),
                )
            )
    return found


def record(ledger: Ledger, calls: list[Call]) -> None:
    for call in calls:
        ledger.record(call)
    assert ledger.flush(20)


def assert_view_is_recount(view: LedgerView, calls: list[Call]) -> None:
    inside = [call for call in calls if view.from_ms <= call.ts_ms < view.to_ms]
    assert view.total == recount(inside)
    before = view.from_ms - (view.to_ms - view.from_ms)
    assert view.previous == recount(call for call in calls if before <= call.ts_ms < view.from_ms)
    for dimension in ("model", "route", "tag", "outcome"):
        found = {piece.value: piece.figures for piece in view.by[dimension]}
        values = {key_of(call, dimension) for call in inside}
        assert found == {v: recount(c for c in inside if key_of(c, dimension) == v) for v in values}
    for point in view.series:
        end = point.start_ms + point.seconds * 1000
        assert point.figures == recount(call for call in inside if point.start_ms <= call.ts_ms < end)
    assert sum(point.seconds for point in view.series) * 1000 == view.to_ms - view.from_ms


@pytest.mark.parametrize("label", ["5m", "1h", "6h", "24h", "7d", "30d"])
async def test_the_view_is_the_recount_of_the_calls(ledger: Ledger, aclient: Any, label: str) -> None:
    window = parse_window(label)
    calls = some_calls(400, NOW, min(2 * window.seconds * 1000, 47 * 3_600_000))
    record(ledger, calls)
    reader = LedgerReader(aclient, KEYS, tz=ZoneInfo("UTC"))
    view = await reader.view(window, now_ms=NOW)
    assert_view_is_recount(view, calls)
    assert view.present
    midnight = NOW // 86_400_000 * 86_400_000
    assert view.today == recount(call for call in calls if call.ts_ms >= midnight)
    assert [call.id for call in view.recent] == [call.id for call in reversed(calls[-50:])]


async def test_refreshes_follow_new_calls_rollover_and_late_ones(ledger: Ledger, aclient: Any) -> None:
    reader = LedgerReader(aclient, KEYS, tz=ZoneInfo("UTC"))
    start = NOW // 60_000 * 60_000 - 600_000
    calls: list[Call] = []
    for step in range(12):
        now = start + step * 35_000
        new = some_calls(20, now, 20_000, seed=step)
        if step % 4 == 3:
            new += some_calls(5, now - 900_000, 1_800_000, seed=100 + step)
        calls += new
        record(ledger, new)
        await reader.view(HOUR, now_ms=now)
        view = await reader.view(HOUR, now_ms=now)
        assert_view_is_recount(view, calls)
        assert [call.id for call in view.recent] == [call.id for call in list(reversed(calls))[:50]]
    windows = {window.label: await reader.view(window, now_ms=now) for window in WINDOWS}
    for view in windows.values():
        assert_view_is_recount(view, calls)


async def test_a_refresh_is_one_round_trip_of_open_buckets(
    ledger: Ledger, aclient: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(ledger, some_calls(200, NOW, 7_200_000))
    reader = LedgerReader(aclient, KEYS)
    now = NOW // 60_000 * 60_000 + 30_000
    await reader.view(HOUR, now_ms=now)
    asked: list[list[Any]] = []
    ask = LedgerReader._ask

    async def watched(self: LedgerReader, commands: list[Any]) -> list[Any]:
        asked.append(commands)
        return await ask(self, commands)

    monkeypatch.setattr(LedgerReader, "_ask", watched)
    await reader.view(HOUR, now_ms=now + 1000)
    record(ledger, [make_call(ts_ms=now + 1500)])
    await reader.view(HOUR, now_ms=now + 2000)
    assert len(asked) == 2
    for commands in asked:
        buckets = [
            command[1] for command in commands if command[0] == "HGETALL" and "policy" not in command[1]
        ]
        assert buckets == [f"{KEYS.root}minute:{now // 60_000}"]


async def test_what_has_not_changed_is_the_same_object(ledger: Ledger, aclient: Any) -> None:
    record(ledger, some_calls(50, NOW, 600_000))
    reader = LedgerReader(aclient, KEYS)
    first = await reader.view(HOUR, now_ms=NOW)
    second = await reader.view(HOUR, now_ms=NOW)
    assert second.by["model"] is first.by["model"]
    assert second.series is first.series
    assert second.total is first.total


async def test_without_a_ledger_the_view_is_empty_and_says_so(aclient: Any) -> None:
    view = await LedgerReader(aclient, KEYS).view(HOUR)
    assert not view.present
    assert view.total == Figures()
    assert view.calls_per_s is None
    assert view.policy is None
    assert len(view.series) == 60


async def test_another_namespace_is_another_ledger(ledger: Ledger, aclient: Any) -> None:
    record(ledger, [make_call(ts_ms=NOW)])
    assert not (await LedgerReader(aclient, Keys("else")).view(HOUR)).present


async def test_the_live_policy_comes_along(client: Any, aclient: Any) -> None:
    client.hset(KEYS.policy, mapping={"version": 3, "threshold": "0.91"})
    reader = LedgerReader(aclient, KEYS)
    view = await reader.view(HOUR)
    assert view.policy is not None
    assert (view.policy.version, view.policy.threshold) == (3, 0.91)
    client.hset(KEYS.policy, mapping={"version": 4, "threshold": "0.97"})
    view = await reader.view(HOUR)
    assert view.policy is not None
    assert view.policy.threshold == 0.97


async def test_malformed_and_unknown_things_are_skipped(ledger: Ledger, client: Any, aclient: Any) -> None:
    record(ledger, [make_call(ts_ms=NOW)])
    minute = f"{KEYS.root}minute:{NOW // 60_000}"
    client.hset(
        minute, mapping={"calls|planet|mars": 3, "noise": 1, "spend_nano|tag|x": "much", b"\xff|\xfe": 1}
    )
    client.hset(minute, "new_metric|total|", 5)
    client.xadd(KEYS.calls, {"id": "x", "ts_ms": "soon", "outcome": "miss", "model": "m"})
    client.xadd(KEYS.calls, {"hello": "world"})
    client.set(f"{KEYS.root}minute:{NOW // 60_000 - 7}", "another type")
    client.xadd(KEYS.late, {"b": "century:1 minute:x minute: 7"})
    client.xadd(KEYS.late, {"c": "minute:1"})
    reader = LedgerReader(aclient, KEYS)
    for _ in range(2):
        view = await reader.view(HOUR, now_ms=NOW)
        assert view.total.calls == 1
        assert len(view.recent) == 1


async def test_folded_values_are_said(redis_url: str, aclient: Any, tmp_path: Path) -> None:
    day = NOW // 86_400_000 * 86_400_000
    with Ledger(redis_url, spool_dir=tmp_path) as ledger:
        record(ledger, [make_call(ts_ms=day, tag=f"t{i}") for i in range(1010)])
    view = await LedgerReader(aclient, KEYS).view(parse_window("24h"), now_ms=day + 1000)
    assert view.capped == ("tag",)
    assert len(view.by["tag"]) == 1001
    assert next(p for p in view.by["tag"] if p.value == "other").figures.calls == 10
    assert view.total.calls == 1010


async def test_after_the_server_lost_everything_old_figures_are_gone(
    ledger: Ledger, client: Any, aclient: Any
) -> None:
    record(ledger, some_calls(100, NOW, 3_000_000))
    reader = LedgerReader(aclient, KEYS)
    assert (await reader.view(HOUR, now_ms=NOW)).total.calls == 100
    client.flushall()
    new = make_call(ts_ms=NOW)
    record(ledger, [new])
    view = await reader.view(HOUR, now_ms=NOW)
    assert view.total.calls == 1
    view = await reader.view(HOUR, now_ms=NOW)
    assert [call.id for call in view.recent] == [new.id]


async def test_after_an_outage_the_view_is_right_again(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0, args=("--appendonly", "yes", "--appendfsync", "always"))
    aclient = redis.asyncio.Redis.from_url(server.url, protocol=2)
    calls = some_calls(100, NOW, 3_000_000)
    with Ledger(server.url, spool_dir=tmp_path / "spool") as ledger:
        record(ledger, calls)
        reader = LedgerReader(aclient, KEYS)
        await reader.view(HOUR, now_ms=NOW)
        server.stop()
        with pytest.raises(redis.exceptions.ConnectionError):
            await reader.view(HOUR, now_ms=NOW)
        late = some_calls(30, NOW - 120_000, 60_000, seed=9)
        for call in late:
            ledger.record(call)
        server.start()
        assert ledger.flush()
        assert_view_is_recount(await reader.view(HOUR, now_ms=NOW), calls + late)
    await aclient.aclose()


async def test_views_at_once_don_t_disturb_each_other(ledger: Ledger, aclient: Any) -> None:
    calls = some_calls(100, NOW, 3_000_000)
    record(ledger, calls)
    reader = LedgerReader(aclient, KEYS)
    views = await asyncio.gather(*(reader.view(window, now_ms=NOW) for window in WINDOWS * 2))
    for view in views:
        assert_view_is_recount(view, calls)


def test_a_command_reads_the_same_view(ledger: Ledger, client: Any) -> None:
    calls = some_calls(100, NOW, 3_000_000)
    record(ledger, calls)
    view = read_view(client, KEYS, HOUR, at_ms=NOW, recent=5)
    assert_view_is_recount(view, calls)
    assert [call.id for call in view.recent] == [call.id for call in list(reversed(calls))[:5]]


@pytest.mark.parametrize(
    ("zone", "now", "midnight"),
    [
        ("UTC", "2026-11-20T10:15+00:00", "2026-11-20T00:00+00:00"),
        ("Asia/Kolkata", "2026-11-20T20:00+00:00", "2026-11-20T18:30+00:00"),
        ("Asia/Kolkata", "2026-11-20T18:29+00:00", "2026-11-19T18:30+00:00"),
        ("Asia/Kathmandu", "2026-11-20T20:00+00:00", "2026-11-20T18:15+00:00"),
        ("Europe/Berlin", "2026-03-29T20:00+00:00", "2026-03-28T23:00+00:00"),
        ("Europe/Berlin", "2026-10-25T20:00+00:00", "2026-10-24T22:00+00:00"),
        ("America/New_York", "2026-11-20T03:00+00:00", "2026-11-19T05:00+00:00"),
        ("Africa/Cairo", "2026-04-24T10:00+00:00", "2026-04-23T22:00+00:00"),
    ],
)
@pytest.mark.parametrize("label", ["1h", "24h"])
def test_today_begins_at_the_operators_midnight(zone: str, now: str, midnight: str, label: str) -> None:
    now_ms = int(datetime.fromisoformat(now).timestamp() * 1000)
    expected = int(datetime.fromisoformat(midnight).timestamp() * 1000)
    assert midnight_ms(now_ms, ZoneInfo(zone)) == expected
    today = Frame(parse_window(label), now_ms, ZoneInfo(zone)).today
    assert today[0].start_ms == expected
    assert all(a.end_ms == b.start_ms for a, b in pairwise(today))
    assert today[-1].start_ms <= now_ms < today[-1].end_ms
    assert len(today) <= 25 + 45 + 60


@pytest.mark.parametrize(
    ("offsets_s", "now_s", "expected"),
    [
        ([90 - i for i in range(90)], 90, 1.0),  # one a second for 90 s, in its 31st second of the minute
        ([1, 1, 1, 1], 4, 1.0),  # four calls, the first 4 s ago
    ],
)
async def test_calls_per_second(
    ledger: Ledger, client: Any, aclient: Any, offsets_s: list[int], now_s: int, expected: float
) -> None:
    start = NOW // 60_000 * 60_000 - 300_000
    for offset in sorted(offsets_s):
        client.xadd(KEYS.calls, {"hello": "world"}, id=f"{start + offset * 1000}-*")
    record(ledger, [make_call(ts_ms=start + offset * 1000) for offset in offsets_s])
    view = await LedgerReader(aclient, KEYS).view(HOUR, now_ms=start + (now_s + 1) * 1000)
    assert view.calls_per_s == pytest.approx(expected, rel=0.1)


def test_a_window_of_any_length_has_a_view(ledger: Ledger, client: Any) -> None:
    record(ledger, [make_call(ts_ms=NOW)])
    for seconds in (60, 90, 7 * 3600, 86_400 * 366):
        view = read_view(client, KEYS, Window("x", seconds), at_ms=NOW)
        assert view.total.calls == 1
