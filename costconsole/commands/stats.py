"""`costconsole stats`: the figures of a window, as text, JSON or CSV."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
from datetime import UTC, datetime
from typing import Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.call import STRATEGIES
from costconsole.domain.figures import Figures, LedgerView, Slice
from costconsole.domain.histogram import Histogram
from costconsole.domain.money import format_usd, nano_to_usd
from costconsole.domain.window import parse_window


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        window = parse_window(session.settings.window)
        while True:
            view = await session.figures(window)
            _print(view, args)
            if not view.present:
                say(
                    f"No calls are recorded in namespace {view.namespace!r}: send them through"
                    " costconsole.Gateway, name another with --namespace, or try `costconsole demo`."
                )
            if args.watch is None:
                return DONE
            sys.stdout.flush()
            await asyncio.sleep(args.watch)

    return run_session(args, work)


def _print(view: LedgerView, args: argparse.Namespace) -> None:
    if args.json and args.watch is not None:
        # One document a line, so that a reader needs no more than lines.
        print(json.dumps(as_document(view, args.by)))
    elif args.json:
        print_json(as_document(view, args.by))
    elif args.csv:
        _print_csv(view, args.by or "model")
    else:
        _print_text(view, args.by)


def as_document(view: LedgerView, by: str | None = None) -> dict[str, Any]:
    """The `stats --json` document. Rates are 0..1, money is dollars, latency is ms; null is unknown."""
    total = view.total
    document: dict[str, Any] = {
        "namespace": view.namespace,
        "window_s": view.window.seconds,
        "from": _iso(view.from_ms),
        "to": _iso(view.to_ms),
        "calls": total.calls,
        "errors": total.errors,
        "hit_rate": total.hit_rate,
        "outcomes": {
            "exact": total.exact,
            "semantic": total.semantic,
            "miss": total.miss,
            "bypass": total.bypass,
        },
        "guarded": total.guarded,
        "spend_usd": nano_to_usd(total.spend_nano),
        "baseline_usd": nano_to_usd(total.baseline_nano),
        "unpriced_calls": total.unpriced,
        "saved_usd": {name: nano_to_usd(getattr(total.saved, name)) for name in (*STRATEGIES, "total")},
        "tokens": {
            "input": total.input,
            "output": total.output,
            "cached_input": total.cached_input,
            "saved": total.tokens_saved,
        },
        "latency_ms": {"hit": _quantiles(total.hit_latency), "miss": _quantiles(total.miss_latency)},
        "by": [_slice(piece) for piece in view.by.get(by, ())] if by else [],
    }
    return document


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _quantiles(latency: Histogram) -> dict[str, float | None]:
    found = {name: latency.quantile(q) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    return {name: None if ms is None else round(ms, 3) for name, ms in found.items()}


def _slice(piece: Slice) -> dict[str, Any]:
    figures = piece.figures
    p95 = (figures.hit_latency + figures.miss_latency).quantile(0.95)
    return {
        "key": piece.value,
        "calls": figures.calls,
        "hit_rate": figures.hit_rate,
        "spend_usd": nano_to_usd(figures.spend_nano),
        "saved_usd": nano_to_usd(figures.saved.total),
        "input": figures.input,
        "output": figures.output,
        "p95_ms": None if p95 is None else round(p95, 3),
        "errors": figures.errors,
        "unpriced_calls": figures.unpriced,
    }


def _print_csv(view: LedgerView, by: str) -> None:
    rows = [_slice(piece) for piece in view.by.get(by, ())]
    empty = _slice(Slice("", Figures()))
    writer = csv.DictWriter(sys.stdout, fieldnames=list(empty), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if row["key"][:1] in "=+-@\t\r" and row["key"]:
            # A spreadsheet would run it as a formula.
            row["key"] = "'" + row["key"]
        writer.writerow(row)


def _print_text(view: LedgerView, by: str | None) -> None:
    total = view.total

    def percent(share: float | None) -> str:
        return "–" if share is None else f"{100 * share:.1f} %"

    def ms(latency: Histogram) -> str:
        values = [latency.quantile(q) for q in (0.5, 0.95, 0.99)]
        return " / ".join("–" if v is None else f"{v:,.0f}" for v in values) + " ms"

    print(f"namespace     {view.namespace}, last {view.window.label}, from {_iso(view.from_ms)}")
    print(f"calls         {total.calls:,}  errors {total.errors:,}  unpriced {total.unpriced:,}")
    print(
        f"hit rate      {percent(total.hit_rate)}  (exact {total.exact:,}, semantic {total.semantic:,}, "
        f"miss {total.miss:,}, bypass {total.bypass:,})"
    )
    if total.guarded:
        print(f"guarded       {total.guarded:,} near answers were refused by a guard, and are no hits")
    print(
        f"spend         {format_usd(total.spend_nano)} of {format_usd(total.baseline_nano)} without savings"
    )
    parts = ", ".join(f"{s.replace('_', ' ')} {format_usd(getattr(total.saved, s))}" for s in STRATEGIES)
    print(f"saved         {format_usd(total.saved.total)}, {percent(total.saved_share)}  ({parts})")
    print(
        f"tokens        in {total.input:,} (cached {total.cached_input:,}), out {total.output:,}, "
        f"saved {total.tokens_saved:,}"
    )
    print(f"latency       hit {ms(total.hit_latency)}, call {ms(total.miss_latency)}  (p50 / p95 / p99)")
    if by:
        print()
        rows = [_slice(piece) for piece in view.by.get(by, ())]
        print_table(
            (by, "calls", "hit %", "in tok", "out tok", "spend $", "saved $", "p95 ms"),
            [
                (
                    row["key"] or "(none)",
                    f"{row['calls']:,}",
                    "–" if row["hit_rate"] is None else f"{100 * row['hit_rate']:.1f}",
                    f"{row['input']:,}",
                    f"{row['output']:,}",
                    f"{row['spend_usd']:,.4f}",
                    f"{row['saved_usd']:,.4f}",
                    "–" if row["p95_ms"] is None else f"{row['p95_ms']:,.0f}",
                )
                for row in rows
            ],
            right=range(1, 8),
        )
