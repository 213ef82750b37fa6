"""`costconsole routing train FILE`: learn from labelled prompts, or from outcomes."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json
from costconsole.commands.route import routing_of
from costconsole.commands.session import DONE, open_embedder, settings_of
from costconsole.domain.errors import Problem, UsageProblem

if TYPE_CHECKING:
    from costconsole.routing.train import Learnt


def run(args: argparse.Namespace) -> int:
    """Learn, say how well, and keep what helps."""
    from costconsole.routing.train import learn, read_examples
    from costconsole.routing.trained import save_trained

    settings = settings_of(args)
    config = routing_of(settings)
    examples = read_examples(_lines(args.file), args.file, config)

    async def work() -> int:
        async with open_embedder(settings) as embedder:
            learnt = await asyncio.to_thread(learn, examples, embedder, on_progress=_progress(args.json))
            try:
                kept = [
                    str(save_trained(found, config.source, embedder, learnt.probe))
                    for found in (learnt.head if learnt.usable else None, learnt.gain)
                    if found is not None
                ]
            except OSError as error:
                raise Problem(
                    f"what was learnt can't be kept in {error.filename}: {error.strerror}"
                ) from None
        if args.json:
            print_json(as_document(learnt, kept))
        else:
            _print(learnt, kept)
        return DONE

    return asyncio.run(work())


def as_document(learnt: Learnt, kept: list[str]) -> dict[str, Any]:
    """The `routing train --json` document; null is what could not be measured."""
    from dataclasses import asdict

    gain = learnt.gain
    return {
        "labels": learnt.labels,
        "by_label": learnt.by_label,
        "tasks": {
            "used": learnt.usable,
            "accuracy": learnt.accuracy,
            "accuracy_before": learnt.before,
            "tier_accuracy": learnt.tier,
            "tier_accuracy_before": learnt.tier_before,
        },
        "outcomes": learnt.outcomes,
        "gain": None if gain is None else {"used": gain.quality.informative, **asdict(gain.quality)},
        "files": kept,
    }


def _print(learnt: Learnt, kept: list[str]) -> None:
    from costconsole.routing.train import LEAST_LABELS, LEAST_OUTCOMES

    if learnt.labels:
        print(f"{learnt.labels:,} labelled prompts: {_counts(learnt.by_label)}")
    if learnt.labels and learnt.head is None:
        print("  all have one label: there is nothing to tell apart")
    elif learnt.accuracy is not None and learnt.before is not None:
        print(
            f"  right task   {learnt.accuracy:.1%} with them (cross-validated), {learnt.before:.1%} without"
        )
        if learnt.tier is not None and learnt.tier_before is not None:
            print(f"  right tier   {learnt.tier:.1%} with them, {learnt.tier_before:.1%} without")
        if learnt.labels < LEAST_LABELS:
            print(f"  not used yet: {LEAST_LABELS} labelled prompts are the least")
        elif not learnt.usable:
            print("  not used: the router is right more often without them; look for wrong labels")
    if learnt.gain is not None:
        _print_gain(learnt.gain)
    elif learnt.outcomes:
        print(f"{learnt.outcomes:,} outcomes: {LEAST_OUTCOMES} are the least to measure anything")
    for path in kept:
        print(f"kept in {path}")


def _print_gain(gain: Any) -> None:
    quality = gain.quality
    print(f"{quality.labels:,} outcomes: good answers {quality.weak:.1%} cheap, {quality.strong:.1%} strong")
    print(f"  {quality.sentence}")
    if not quality.curve:
        return
    print("  strong calls  gap recovered  95% band")
    for point in quality.curve[::2]:
        band = f"{point.low:>4.0%} to {point.high:.0%}"
        print(f"  {point.share:>12.0%}  {point.recovered:>13.0%}  {band}")


def _counts(by_label: dict[str, int]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in by_label.items())


def _lines(name: str) -> list[str]:
    if name == "-":
        return sys.stdin.read().split("\n")
    try:
        return Path(name).expanduser().read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise UsageProblem(f"{name} is not UTF-8 text: one JSON object a line is expected") from None
    except OSError as error:
        raise UsageProblem(f"{name} can't be read: {error.strerror}") from None


def _progress(quiet: bool) -> Any:
    if quiet or not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"\rembedding {done:,} of {total:,}" + ("\n" if done == total else ""))
        sys.stderr.flush()

    return show
