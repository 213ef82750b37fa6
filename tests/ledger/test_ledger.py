"""Recording: nothing waits, nothing is lost, nothing counts twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.call import Outcome
from costconsole.domain.errors import UsageProblem
from costconsole.ledger.batch import SLICE
from costconsole.ledger.ledger import Ledger
from costconsole.ledger.rollup import figures
from costconsole.redis_store.keys import NAMESPACES, Keys
from tests.ledger.calls import hit, make_call
from tests.ledger.recounting import KEYS, assert_exactly, bucket_fields, streamed

NOW = time.time_ns() // 1_000_000


@pytest.fixture
def ledger(redis_url: str, tmp_path: Path) -> Any:
    with Ledger(redis_url, spool_dir=tmp_path / "spool", flush_s=60) as ledger:
        yield ledger


def test_what_is_recorded_is_in_the_stream_and_in_every_rollup(ledger: Ledger, client: Any) -> None:
    calls = [
        make_call(ts_ms=NOW, model=f"m{i % 3}", error="timeout" if i % 7 == 0 else "") for i in range(40)
    ]
    calls += [hit(ts_ms=NOW - 90_000, tag="t") for _ in range(20)]
    for call in calls:
        ledger.record(call)
    assert ledger.flush()
    assert_exactly(client, [call.id for call in calls])
    by_id = {call.id: call for call in streamed(client)}
    assert all(by_id[call.id] == call for call in calls)
    assert client.smembers(NAMESPACES) == {b"default"}
    status = ledger.status
    assert (status.recorded, status.flushed, status.pending, status.last_error) == (60, 60, 0, "")


def test_more_than_one_slice_is_one_sum(ledger: Ledger, client: Any) -> None:
    ids = []
    for i in range(2 * SLICE + 17):
        call = make_call(ts_ms=NOW, tag=str(i % 5))
        ids.append(call.id)
        ledger.record(call)
    assert ledger.flush()
    assert_exactly(client, ids)


def test_it_flushes_by_itself(redis_url: str, client: Any, tmp_path: Path) -> None:
    with Ledger(redis_url, spool_dir=tmp_path, flush_s=0.05) as ledger:
        ledger.record(make_call(ts_ms=NOW))
        deadline = time.monotonic() + 10
        while ledger.status.flushed < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert client.xlen(KEYS.calls) == 1


def test_hits_are_counted_by_entry(ledger: Ledger, client: Any) -> None:
    ledger.record(hit("entry-a", ts_ms=NOW - 5000))
    ledger.record(hit("entry-a", ts_ms=NOW - 9000))
    ledger.record(make_call(ts_ms=NOW, outcome=Outcome.EXACT), hit_key="entry-b")
    ledger.record(make_call(ts_ms=NOW, cache_key="stored-by-a-miss"))
    assert ledger.flush()
    assert client.zrange(KEYS.hits, 0, -1, withscores=True) == [(b"entry-b", 1.0), (b"entry-a", 2.0)]
    assert client.zscore(KEYS.last_hit, "entry-a") == NOW - 5000


def test_buckets_and_marker_expire(ledger: Ledger, client: Any) -> None:
    ledger.record(make_call(ts_ms=NOW))
    assert ledger.flush()
    hours = {}
    for key in client.keys(KEYS.root.replace("{", "[{]") + "*"):
        kind = key.decode().removeprefix(KEYS.root).partition(":")[0]
        hours[kind] = client.pttl(key) / 3_600_000
    assert 47.9 < hours["minute"] <= 48.1
    assert 90 * 24 - 0.1 < hours["hour"] <= 90 * 24 + 1
    assert 3 * 365 * 24 < hours["day"] <= 3 * 366 * 24 + 24
    assert hours["applied"] > 24


def test_calls_older_than_their_buckets_leave_none_behind(ledger: Ledger, client: Any) -> None:
    ledger.record(make_call(ts_ms=NOW - 100 * 86_400_000))
    ledger.record(make_call(ts_ms=NOW - 5 * 366 * 86_400_000))
    assert ledger.flush()
    grains = {key.decode().split(":")[2] for key in client.keys(KEYS.root.replace("{", "[{]") + "*:*")}
    assert grains == {"day", "applied"}
    assert client.xlen(KEYS.calls) == 2


def test_threads_and_event_loops_may_record_at_once(ledger: Ledger, client: Any) -> None:
    ids: list[str] = []

    def work() -> None:
        for _ in range(300):
            call = make_call(ts_ms=NOW)
            ids.append(call.id)
            ledger.record(call)

    async def several() -> None:
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))
        work()

    asyncio.run(several())
    assert ledger.flush()
    assert_exactly(client, ids)


def test_a_call_that_is_none_costs_no_other(ledger: Ledger, client: Any) -> None:
    good = make_call(ts_ms=NOW)
    ledger.record(good)
    ledger.record(make_call(ts_ms=NOW, input="many"))
    ledger.record("nothing like a call")  # type: ignore[arg-type]
    assert ledger.flush()
    assert_exactly(client, [good.id])
    assert ledger.status.rejected == 2


def test_any_text_can_be_kept(redis_url: str, client: Any, tmp_path: Path) -> None:
    texts = ["\x00\x1b[31m\u202e", 'quote " back \\ slash', "\ud800 lone", "日本語 🎉", "\n\t"]
    with Ledger(redis_url, prompts="full", spool_dir=tmp_path) as ledger:
        for text in texts:
            ledger.record(make_call(ts_ms=NOW, preview=text, tag=text))
        assert ledger.flush()
    assert [call.preview for call in streamed(client)] == [t.replace("\ud800", "?") for t in texts]


def test_a_dimension_keeps_a_thousand_values_a_day_across_processes(
    redis_url: str, client: Any, tmp_path: Path
) -> None:
    day = NOW // 86_400_000 * 86_400_000
    with Ledger(redis_url, spool_dir=tmp_path) as one, Ledger(redis_url, spool_dir=tmp_path) as two:
        for i in range(700):
            one.record(make_call(ts_ms=day, tag=f"one-{i}"))
        assert one.flush()
        for i in range(700):
            two.record(make_call(ts_ms=day + 3_600_000, tag=f"two-{i}"))
        assert two.flush()
        one.record(make_call(ts_ms=day, tag="one-3"))
        one.record(make_call(ts_ms=day, tag="new"))
        one.record(make_call(ts_ms=day - 1, tag="new"))
        assert one.flush()
    fields = {
        name.decode(): int(n) for name, n in client.hgetall(f"{KEYS.root}day:{day // 86_400_000}").items()
    }
    tags = {name.split("|", 2)[2] for name in fields if name.startswith("calls|tag|")}
    assert len(tags) == 1001
    assert figures(fields, "tag", "other").calls == 401
    assert figures(fields, "tag", "one-3").calls == 2
    assert figures(fields).calls == 1402
    for grain in ("minute", "hour", "day"):
        found = bucket_fields(client, grain)
        by_tag = sum(n for name, n in found.items() if name.startswith("calls|tag|"))
        assert by_tag == found["calls|total|"] == 1403


@pytest.mark.parametrize(
    ("mode", "redact", "text", "kept"),
    [
        ("preview", False, "mail a.b@example.org now", "mail [email] now"),
        ("preview", False, "x" * 500, "x" * 120),
        ("full", False, "mail a.b@example.org now", "mail a.b@example.org now"),
        ("full", True, "mail a.b@example.org now", "mail [email] now"),
        ("full", False, "x" * 5000, "x" * 2000),
        ("off", False, "anything", ""),
    ],
)
def test_of_a_prompt_is_kept_what_was_chosen(
    redis_url: str, client: Any, tmp_path: Path, mode: Any, redact: bool, text: str, kept: str
) -> None:
    with Ledger(redis_url, prompts=mode, redact=redact, spool_dir=tmp_path) as ledger:
        assert ledger.preview(text) == kept
        ledger.record(make_call(ts_ms=NOW, preview=text))
        assert ledger.flush()
    assert streamed(client)[0].preview == kept


def test_the_stream_is_trimmed(redis_url: str, client: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("costconsole.ledger.transaction.STREAM_LENGTH", 500)
    with Ledger(redis_url, spool_dir=tmp_path) as ledger:
        for _ in range(3000):
            ledger.record(make_call(ts_ms=NOW))
        assert ledger.flush()
    assert 500 <= client.xlen(KEYS.calls) < 700


def test_hits_of_entries_are_forgotten_least_recent_first(
    redis_url: str, client: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from costconsole.ledger import sender

    monkeypatch.setattr(sender, "HITS_LENGTH", 100)
    monkeypatch.setattr(sender, "FORGET", sender.FORGET.replace("1000000", "100").replace("10000", "1"))
    with Ledger(redis_url, spool_dir=tmp_path) as ledger:
        for i in range(300):
            ledger.record(hit(f"entry-{i}", ts_ms=NOW + i))
        assert ledger.flush()
        ledger.record(make_call(ts_ms=NOW))
        assert ledger.flush()
    assert client.zcard(KEYS.hits) == client.zcard(KEYS.last_hit) == 100
    assert client.zscore(KEYS.hits, "entry-299") == 1
    assert client.zscore(KEYS.hits, "entry-199") is None


def test_namespaces_are_apart(redis_url: str, client: Any, tmp_path: Path) -> None:
    with Ledger(redis_url, "prod", spool_dir=tmp_path) as ledger:
        ledger.record(make_call(ts_ms=NOW))
        assert ledger.flush()
    assert client.xlen(Keys("prod").calls) == 1
    assert client.exists(KEYS.calls) == 0


def test_the_ledger_needs_no_modules(fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path) -> None:
    server = fresh_server(modules=False)
    with Ledger(server.url, spool_dir=tmp_path) as ledger:
        ledger.record(make_call(ts_ms=NOW))
        assert ledger.flush()


@pytest.mark.parametrize(
    ("url", "namespace", "prompts"),
    [("http://x", "default", "off"), ("redis://x", "a b", "off"), ("redis://x", "default", "some")],
)
def test_wrong_arguments_are_said_at_once(tmp_path: Path, url: str, namespace: str, prompts: Any) -> None:
    with pytest.raises(UsageProblem):
        Ledger(url, namespace, prompts=prompts, spool_dir=tmp_path)


def test_recording_after_close_is_counted_as_dropped(redis_url: str, tmp_path: Path) -> None:
    ledger = Ledger(redis_url, spool_dir=tmp_path)
    assert ledger.close()
    ledger.record(make_call())
    assert ledger.status.dropped == 1


def test_close_ends_the_thread_and_leaves_no_file(redis_url: str, tmp_path: Path) -> None:
    before = threading.active_count()
    ledger = Ledger(redis_url, spool_dir=tmp_path / "spool")
    ledger.record(make_call(ts_ms=NOW))
    assert ledger.close()
    assert threading.active_count() == before
    assert not list(tmp_path.rglob("*.spool"))
