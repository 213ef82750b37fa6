"""The checks as functions of values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.health.entries import memory, never_expiring, stale, wrong_vectors
from costconsole.health.finding import EVIDENCE, Finding, worst_first
from costconsole.health.flat import flat_index
from costconsole.health.keys import bleeding, not_indexed, orphans
from costconsole.health.likeness import contradictions, difference, duplicates, shared_prompts
from costconsole.health.sample import CacheSample, Census, Group, Nearness, Pair, Sampled

DAY_MS = 86_400_000
NOW = 1_795_386_843_000
FAQ = CacheInfo("faq", "redisvl", "semantic", "faq:", entries=1000, index="faq", dims=8, algorithm="FLAT")
V2 = replace(FAQ, name="faq_v2", prefix="faq_v2:", index="faq_v2")


def entry(n: int, **fields: object) -> CacheEntry:
    base = CacheEntry(f"faq:{n}", "faq", "redisvl", prompt=f"question {n}", response=f"answer {n}")
    return replace(base, **fields)  # type: ignore[arg-type]


def sampled(*entries: CacheEntry, of: int | None = None, **fields: object) -> CacheSample:
    read = tuple(replace(Sampled(e.key, e, vector=b"\0" * 32), **fields) for e in entries)  # type: ignore[arg-type]
    return CacheSample(FAQ, len(entries) if of is None else of, entries=read)


def near(*pairs: Pair, asked: int = 10) -> CacheSample:
    return CacheSample(FAQ, asked, near=Nearness(asked, (1.0,) * asked, pairs))


# -- bleeding and orphans


@pytest.mark.parametrize(
    ("prefix", "dims", "strangers", "status"),
    [
        ("faq", 8, 12, "fail"),  # The other's answers are served.
        ("faq", 4, 12, "warn"),  # They can't be indexed.
        ("faq", 8, 0, "warn"),  # There are none yet.
        ("faq:", 8, 0, None),  # The prefix ends in a separator.
    ],
)
def test_an_index_whose_prefix_covers_another_cache(
    prefix: str, dims: int, strangers: int, status: str | None
) -> None:
    census = Census(strangers={("faq", "faq_v2"): Group(strangers, ("faq_v2:1",))} if strangers else {})
    found = bleeding([FAQ, replace(V2, dims=dims)], [IndexInfo("faq", "HASH", (prefix,))], census)
    assert [f.status for f in found] == ([status] if status else [])
    assert all("faq_v2" in f.what for f in found)


def test_documents_without_keys_are_orphans_only_when_every_key_was_seen() -> None:
    index = IndexInfo("faq", "HASH", ("faq",), docs=1000)
    census = Census(looked_at=10, complete=True, covered={"faq": 400}, owned={"faq": 400})
    (found,) = orphans([FAQ], [index], census)
    assert (found.check, found.count) == ("orphans", 600)
    assert orphans([FAQ], [index], replace(census, complete=False)) == []
    assert orphans([FAQ], [index], replace(census, covered={"faq": 995})) == [], "some expire meanwhile"


def test_failures_that_are_another_caches_entries_point_to_the_bleed() -> None:
    index = IndexInfo("faq", "HASH", ("faq",), failures=6, failure="wrong size")
    (own,) = not_indexed([FAQ], [index], Census())
    assert (own.status, own.count) == ("fail", 6)
    (other,) = not_indexed([FAQ], [index], Census(strangers={("faq", "faq_v2"): Group(6, ())}))
    assert other.status == "warn"
    assert "prefix bleed" in other.next_step


# -- entries


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 100_000))
def test_shares_are_extrapolated_and_say_so(size: int, never: int, more: int) -> None:
    never = min(never, size)
    entries = [entry(n, ttl_ms=None if n < never else 1000) for n in range(size)]
    found = never_expiring(sampled(*entries, of=size + more))
    assert found is not None
    assert found.count is not None
    assert found.count == round(never / size * (size + more)) if never else found.count == 0
    assert found.estimated == bool(more and never)
    assert found.status == ("warn" if never / size >= 0.5 else "ok")
    assert len(found.evidence) <= EVIDENCE


def test_never_expiring_entries_are_well_where_the_server_evicts() -> None:
    sample = sampled(entry(1))
    assert getattr(never_expiring(sample, server_evicts=True), "status", "") == "ok"
    assert getattr(never_expiring(sample, server_evicts=False), "status", "") == "warn"
    assert never_expiring(sampled()) is None


def test_vectors_of_another_length_are_told_by_their_dimensions() -> None:
    found = wrong_vectors(sampled(entry(1), vector=None, vector_bytes=16))
    assert found is not None
    assert found.notes == ("4 dimensions instead of 8",)
    assert wrong_vectors(sampled(entry(1))) is None
    half = wrong_vectors(sampled(entry(1), vector=None, missing=("doc:1",)))
    assert half is None, "that is an orphan"


@pytest.mark.parametrize(
    ("created", "used", "is_stale"),
    [(90, 1, True), (90, 8, False), (20, 1, False), (31, 29, False), (31, 6.9, True)],
)
def test_old_entries_that_are_still_used_are_stale(created: float, used: float, is_stale: bool) -> None:
    one = entry(1, created_ms=NOW - int(created * DAY_MS))
    by_ledger = replace(one, hits=3, last_hit_ms=NOW - int(used * DAY_MS))
    assert bool(stale(sampled(by_ledger), NOW)) == is_stale
    assert bool(stale(sampled(one, idle_ms=int(used * DAY_MS)), NOW)) == is_stale
    unused = replace(one, hits=0)
    assert stale(sampled(unused, idle_ms=0), NOW) is None, "the ledger knows that nobody used it"


def test_memory_is_the_mean_of_the_sample_times_the_entries_and_the_index() -> None:
    sample = sampled(entry(1), entry(2), of=1000, size_bytes=3000)
    found = memory(replace(sample, cache=replace(FAQ, memory_bytes=2_000_000)))
    assert found is not None
    assert (
        "≈3.00 kB an entry and 2.00 kB of index; ≈5.00 MB together (2 sampled of 1,000 entries)" in found.what
    )
    assert getattr(memory(sampled(entry(1), size_bytes=100_000)), "status", "") == "warn"
    assert memory(sampled(entry(1))) is None


# -- likeness


@given(st.text(), st.text())
def test_difference_is_a_distance(a: str, b: str) -> None:
    assert 0 <= difference(a, b) <= 1
    assert difference(a, b) == difference(b, a)
    assert difference(a, a) == 0
    assert difference(a.upper(), f"  {a.upper()}\n") == 0


def test_equal_answers_are_duplicates_and_unequal_ones_contradict() -> None:
    same = Pair(entry(1), entry(2, response="ANSWER  1"), 0.995)
    other = Pair(entry(1), entry(3, response="something else"), 0.93)
    far = Pair(entry(1), entry(4), 0.8)
    sample = near(same, other, far)
    twice, differ = duplicates(sample), contradictions(sample)
    assert twice is not None
    assert differ is not None
    assert twice.evidence == ("faq:1", "faq:2")
    assert differ.evidence == ("faq:1", "faq:3")
    assert ".930" in differ.notes[1]
    assert contradictions(replace(sample, cache=replace(FAQ, threshold=0.95))) is None, "never served"


def test_the_riskiest_pair_comes_first() -> None:
    slight = Pair(
        entry(1, response="open from nine to five"), entry(2, response="open from nine to six"), 0.99
    )
    grave = Pair(entry(3, response="yes"), entry(4, response="no"), 0.95)
    found = contradictions(near(slight, grave))
    assert found is not None
    assert found.evidence[:2] == ("faq:3", "faq:4")
    assert found.count == 2


def test_entries_of_two_scopes_never_meet() -> None:
    pair = Pair(entry(1, scope="a"), entry(2, scope="b", response="answer 1"), 1.0)
    assert duplicates(near(pair)) is None
    assert contradictions(near(replace(pair, b=entry(2, scope="b")))) is None


@pytest.mark.parametrize(
    ("library", "status"), [("redisvl", "warn"), ("costconsole", "ok"), ("litellm", "ok")]
)
def test_a_prompt_in_two_scopes(library: str, status: str) -> None:
    cache = replace(FAQ, library=library)
    both = sampled(entry(1, prompt="Who am I?", scope="a"), entry(2, prompt="who am i? ", scope="b"))
    (found,) = shared_prompts([replace(both, cache=cache)])
    assert (found.status, found.count) == (status, 1)
    assert found.notes == ("scope a", "scope b")
    assert shared_prompts([sampled(entry(1), entry(2))]) == []


# -- FLAT


@pytest.mark.parametrize(
    ("docs", "took_ms", "status"),
    [
        (5_000, (1.0,), None),
        (100_000, (11.6, 12.0, 300.0), "warn"),
        (500_000, (96.0, 90.0, 91.0), "fail"),
        (50_000, (2.0, 2.0, 2.0), "ok"),
        (5_000, (60.0, 61.0, 62.0), "fail"),  # However small: it is slow here.
        (900, (60.0, 61.0, 62.0), None),  # That is not the index.
    ],
)
def test_a_flat_index_is_judged_by_what_it_costs(
    docs: int, took_ms: tuple[float, ...], status: str | None
) -> None:
    sample = CacheSample(FAQ, docs, near=Nearness(len(took_ms), took_ms))
    found = flat_index(FAQ, docs, sample)
    assert (found.status if found else None) == status
    if found:
        assert "measured" in found.what


def test_a_flat_index_that_was_not_measured_is_judged_by_its_size() -> None:
    large = replace(FAQ, dims=384, datatype="FLOAT32")
    found = flat_index(large, 1_000_000)
    assert found is not None
    assert "not measured" in found.what
    assert found.status == "fail"
    assert flat_index(large, 1_000) is None
    assert flat_index(replace(large, algorithm="HNSW"), 1_000_000) is None


def test_worst_first_keeps_the_order_of_equals() -> None:
    found = [Finding(str(n), status, "") for n, status in enumerate(("ok", "warn", "fail", "warn", "ok"))]  # type: ignore[arg-type]
    assert [f.check for f in worst_first(found)] == ["2", "1", "3", "0", "4"]
