"""Replaying the log with labels: they name pairs of texts by digests. Blocks: for a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costconsole.calibration.events import Event
from costconsole.calibration.replay import Replayed, judge_hits, replay
from costconsole.calibration.store import Label, pair_of
from costconsole.ledger.preview import FULL_LENGTH, PREVIEW_LENGTH

if TYPE_CHECKING:
    from costconsole.calibration.replay import Progress


def replay_log(
    events: Sequence[Event],
    vectors: Any,
    threshold: float,
    labels: Mapping[str, Label],
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Replayed:
    """Replay prompts (oldest first) at a threshold, in their scopes. Raises Stopped."""
    found = replay(vectors, threshold, scopes=[event.scope for event in events], progress=progress, stop=stop)
    same, different = labelled_pairs(events, labels)
    judged = judge_hits(found, same, different)
    read_off = sum(not event.guards and event.similarity >= threshold for event in events) / len(events)
    return Replayed(
        threshold=threshold,
        prompts=len(events),
        hit_rate=found.hit_rate,
        read_off=read_off,
        right=judged.right,
        wrong=judged.wrong,
        unknown=judged.unknown,
        clipped=sum(len(event.query) in (PREVIEW_LENGTH, FULL_LENGTH) for event in events),
    )


def labelled_pairs(
    events: Sequence[Event], labels: Mapping[str, Label]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of prompts (their indexes) that people called the same, and those that they called different.

    Prompts of the same words are the same.
    """
    places: dict[str, list[int]] = {}
    for i, event in enumerate(events):
        digest = pair_of(event.query, "").partition(":")[0]
        places.setdefault(digest, []).append(i)
    same = [(several[0], other) for several in places.values() for other in several[1:]]
    different: list[tuple[int, int]] = []
    for label in labels.values():
        query, _, cached = label.pair.partition(":")
        if label.source != "judge" and query in places and cached in places:
            pair = (places[query][0], places[cached][0])
            (same if label.verdict == "same" else different).append(pair)
    return same, different
