"""Thresholds over a real Redis: what is read, and what a change reaches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from costconsole.cache.follower import PolicyFollower
from costconsole.cache.policy import Author, write_policy
from costconsole.console.redis_source import RedisSource
from costconsole.console.threshold_view import ALL, Scope
from costconsole.domain.errors import Problem, Refused
from costconsole.domain.figures import Policy
from costconsole.redis_store.connect import connect
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import text
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.console.fake_thresholds import entries

KEYS = Keys("support")


def fill(client: Any, count: int = 300, **options: Any) -> None:
    """A ledger's stream and the entries that its look-ups met."""
    pipe = client.pipeline(transaction=False)
    for fields in entries(count, **options):
        pipe.xadd(KEYS.calls, fields)
    for i in range(500):
        pipe.hset(
            KEYS.semantic(f"{i:04}"),
            mapping={"prompt": f"May I return it after {i} days?", "response": "Yes"},
        )
    write_policy(client, KEYS, {"threshold": 0.95}, Author("ada", "desk"))
    pipe.execute()


@pytest.fixture
async def source(redis_url: str, client: Any) -> AsyncIterator[RedisSource]:
    fill(client)
    made = RedisSource(Settings(redis_url=redis_url, namespace="support"), parse_target(redis_url))
    await made.open()
    yield made
    await made.close()


async def test_the_log_is_read_once_and_then_what_is_new(source: RedisSource, client: Any) -> None:
    view = await source.thresholds.view()
    assert view.lookups == 300
    assert view.current == 0.95
    assert view.policy.version == 1
    assert {line.scope.words for line in view.scopes} >= {"all look-ups", "route support", "route billing"}
    hits = sum(1 for fields in entries(300) if fields["outcome"] == "semantic")
    assert view.now is not None
    assert view.now.point.hits == hits
    assert view.now.saved_nano_a_day == pytest.approx(hits * 4_000_000 / view.days, rel=1e-6)
    assert view.examples
    assert view.examples[0].cached.startswith("May I return it")
    for fields in entries(5, seed=9):
        client.xadd(KEYS.calls, fields)
    client.xadd(KEYS.calls, {"id": "x", "outcome": "exact", "ts_ms": "1", "model": "m", "threshold": "0.95"})
    client.xadd(KEYS.calls, {"nonsense": "x"})
    assert (await source.thresholds.view()).lookups == 305
    route = await source.thresholds.view(Scope("route", "billing"))
    assert route.inherits == "all look-ups"
    assert 0 < route.lookups < 100


async def test_applying_reaches_applications_within_a_second_and_is_audited(
    source: RedisSource, client: Any, redis_url: str
) -> None:
    view = await source.thresholds.view()
    heard = threading.Event()

    def changed(policy: Policy) -> None:
        if policy.threshold == 0.93:
            heard.set()

    def make() -> Any:
        return connect(parse_target(redis_url))

    with PolicyFollower(make, KEYS, poll_s=30, on_change=changed) as follower:
        assert follower.wait(5)
        await source.thresholds.apply(view, 0.93)
        # It hears of it: its own polls are half a minute apart.
        assert await asyncio.to_thread(heard.wait, 5)
        assert follower.current.threshold == 0.93
    (_, fields), *_ = client.xrevrange(KEYS.audit, "+", "-", 1)
    audited = {text(name): text(value) for name, value in fields.items()}
    assert audited["what"] == "policy"
    assert audited["before"] == '{"threshold":"0.95"}'
    assert audited["after"] == '{"threshold":"0.93"}'
    assert audited["who"]
    assert (await source.thresholds.view()).current == 0.93


async def test_a_route_gets_a_threshold_of_its_own(source: RedisSource) -> None:
    view = await source.thresholds.view(Scope("route", "billing"))
    await source.thresholds.apply(view, 0.92)
    after = await source.thresholds.view(Scope("route", "billing"))
    assert (after.current, after.inherits) == (0.92, "")
    assert (await source.thresholds.view(ALL)).current == 0.95


async def test_taking_back_puts_the_value_before_in_force(source: RedisSource) -> None:
    await source.thresholds.apply(await source.thresholds.view(), 0.93)
    last = await source.thresholds.last_change()
    assert last is not None
    assert "0.93" in last.sentence
    assert "0.95" in last.sentence
    await source.thresholds.take_back((), last.undo_id)
    assert (await source.thresholds.view()).policy.threshold == 0.95
    with pytest.raises(Problem):
        await source.thresholds.take_back((), last.undo_id)


async def test_nothing_is_changed_when_somebody_was_faster(source: RedisSource, client: Any) -> None:
    view = await source.thresholds.view()
    write_policy(client, KEYS, {"threshold": 0.97}, Author("bob", "elsewhere"))
    with pytest.raises(Problem, match="changed meanwhile"):
        await source.thresholds.apply(view, 0.93)
    with pytest.raises(Problem, match="changed meanwhile"):
        await source.thresholds.switch_guard(view, "numbers", False)
    assert (await source.thresholds.view()).policy.threshold == 0.97


async def test_a_step_too_far_is_refused(source: RedisSource) -> None:
    view = await source.thresholds.view()
    with pytest.raises(Refused, match=r"at most, to 0\.9"):
        await source.thresholds.apply(view, 0.85)
    assert (await source.thresholds.view()).policy.version == 1


async def test_a_guard_is_switched(source: RedisSource) -> None:
    view = await source.thresholds.view()
    await source.thresholds.switch_guard(view, "numbers", False)
    after = await source.thresholds.view()
    assert [guard.name for guard in after.guards if not guard.on] == ["numbers"]


async def test_read_only_refuses_every_change(redis_url: str, client: Any) -> None:
    fill(client)
    settings = Settings(redis_url=redis_url, namespace="support", read_only=True)
    source = RedisSource(settings, parse_target(redis_url))
    await source.open()
    view = await source.thresholds.view()
    assert view.lookups == 300
    event = (await source.thresholds.pairs(view, 1)).events[0]
    for change in (
        source.thresholds.apply(view, 0.93),
        source.thresholds.switch_guard(view, "numbers", False),
        source.thresholds.label(event, "same"),
        source.thresholds.mark_wrong(KEYS.semantic("0001"), 0.97),
        source.thresholds.take_back((), "1-0"),
    ):
        with pytest.raises(Refused, match="--read-only"):
            await change
    assert client.xlen(KEYS.audit) == 1
    await source.close()


async def test_labels_are_kept_at_once_count_and_are_taken_back(source: RedisSource, client: Any) -> None:
    view = await source.thresholds.view()
    pairs = await source.thresholds.pairs(view, 20, seed=1)
    assert len(pairs.events) == 20
    assert all(event.certified and event.query and event.cached for event in pairs.events)
    kept = [await source.thresholds.label(event, "same") for event in pairs.events]
    assert client.hlen(KEYS.labels) == len({one.field for one in kept})
    after = await source.thresholds.view()
    assert after.proposal.labels == 20
    await source.thresholds.unlabel(kept[-1])
    assert (await source.thresholds.view()).proposal.labels == 19
    # What was labelled isn't drawn again.
    drawn = await source.thresholds.pairs(after, 300, seed=2)
    assert not {event.id for event in drawn.events} & {event.id for event in pairs.events[:-1]}


async def test_a_threshold_that_labels_refute_alarms(source: RedisSource) -> None:
    assert await source.thresholds.alarm() == ""
    view = await source.thresholds.view()
    pairs = await source.thresholds.pairs(view, 200, seed=1)
    for event in pairs.events:
        await source.thresholds.label(event, "different" if event.similarity >= 0.95 else "same")
    said = await source.thresholds.alarm()
    assert "threshold 0.95 of all look-ups is refuted" in said
    after = await source.thresholds.view()
    assert after.proposal.alarm
    await source.thresholds.apply(after, 0.97)
    assert await source.thresholds.alarm() == ""


async def test_a_wrong_hit_raises_its_entry_and_is_taken_back(source: RedisSource) -> None:
    key = KEYS.semantic("0001")
    done = await source.thresholds.mark_wrong(key, 0.96, query="after 30 days?", cached="after 60 days?")
    assert await source.thresholds.entry_threshold(key) == pytest.approx(0.97)
    assert (await source.thresholds.view()).marked == 1
    assert await source.thresholds.take_back_wrong(done)
    assert await source.thresholds.entry_threshold(key) is None
    assert (await source.thresholds.view()).marked == 0


async def test_before_and_after_stand_side_by_side(source: RedisSource, client: Any) -> None:
    view = await source.thresholds.view()
    assert [period.threshold for period in view.periods] == [0.95]
    await source.thresholds.apply(view, 0.92)
    for fields in entries(50, threshold=0.92, seed=3):
        client.xadd(KEYS.calls, fields)
    after = await source.thresholds.view()
    assert [period.threshold for period in after.periods] == [0.92, 0.95]
    assert [period.lookups for period in after.periods] == [50, 300]
    assert after.periods[0].hits / 50 > after.periods[1].hits / 300
