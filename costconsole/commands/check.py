"""`costconsole check PROMPT`: what would happen to a prompt; nothing is sent or written."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.domain.errors import UsageProblem
from costconsole.domain.figures import LedgerView
from costconsole.domain.money import format_usd, nano_to_usd
from costconsole.domain.text import first_words
from costconsole.domain.window import parse_window

if TYPE_CHECKING:
    from costconsole.gateway.check import Check

_DEFAULT_MODEL = "gpt-4o-mini"
_DEFAULT_OUTPUT = 200


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import find_caches
        from costconsole.gateway.check import check
        from costconsole.ledger.prices import PriceBook

        prompt = prompt_of(args)
        view = await session.figures(parse_window("24h"), recent=200)
        providers = {call.model: call.provider for call in view.recent if call.provider}
        model = args.model or usual_model(view)
        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        async with open_embedder(session.settings) as embedder:
            found = await check(
                session.client,
                session.keys,
                embedder,
                prompt,
                model=model,
                system=args.system,
                caches=caches,
                prices=PriceBook(session.settings.prices),
                compare=providers,
                output_tokens=_usual_output(view, model),
                now_ms=int(time.time() * 1000),
            )
        if args.json:
            print_json(as_document(found))
        else:
            _print(found)
        return DONE

    return run_session(args, work)


def prompt_of(args: argparse.Namespace) -> str:
    """The prompt of the arguments, or standard input for `-`. Raises UsageProblem for an empty one."""
    prompt: str = sys.stdin.read() if args.prompt == "-" else args.prompt
    if not prompt.strip():
        raise UsageProblem("the prompt is empty: write it as an argument, or - and give it on standard input")
    return prompt


def usual_model(view: LedgerView) -> str:
    """The model that most calls of the last day went to."""
    by_calls = sorted(view.by.get("model", ()), key=lambda piece: -piece.figures.calls)
    return by_calls[0].value if by_calls else _DEFAULT_MODEL


def _usual_output(view: LedgerView, model: str) -> int:
    """The mean tokens of an answer of this model, else of all, over the last day."""
    for piece in view.by.get("model", ()):
        asked = piece.figures.miss + piece.figures.bypass
        if piece.value == model and asked and piece.figures.output:
            return round(piece.figures.output / asked)
    asked = view.total.miss + view.total.bypass
    return round(view.total.output / asked) if asked and view.total.output else _DEFAULT_OUTPUT


def as_document(found: Check) -> dict[str, Any]:
    """The `check --json` document; a null cost is an unknown price."""

    def usd(nano: int | None) -> float | None:
        return None if nano is None else nano_to_usd(nano)

    return {
        "prompt_tokens": found.prompt_tokens,
        "tokens_estimated": found.tokens_estimated,
        "input_tokens": found.input_tokens,
        "minimized": {
            "text": found.minimized_text,
            "tokens": found.minimized_tokens,
            "saved": found.prompt_tokens - found.minimized_tokens,
        },
        "exact": {"hit": found.exact_hit, "key": found.exact_key or None, "why": found.exact_why or None},
        "semantic": {
            "hit": found.semantic_hit,
            "threshold": found.threshold,
            "why": found.semantic_why or None,
            "neighbors": [
                {
                    "key": near.key,
                    "similarity": near.similarity,
                    "prompt": near.prompt,
                    "scope": near.scope,
                    "guards": list(found.refused.get(near.key, ())),
                }
                for near in found.neighbors
            ],
        },
        "route": {"name": None, "model": found.model, "scores": {}, "reason": "the requested model"},
        "cost_usd": {
            "chosen": usd(found.cost_nano),
            "by_model": {priced.model: usd(priced.nano) for priced in found.costs},
            "assumed_output_tokens": found.output_tokens,
        },
        "decision": found.decision,
    }


def _print(found: Check) -> None:
    about = "≈ " if found.tokens_estimated else ""
    print(f"prompt    {about}{found.prompt_tokens:,} tokens ({about}{found.input_tokens:,} with its frame)")
    print(f"exact     {'hit ' + found.exact_key if found.exact_hit else 'miss: ' + found.exact_why}")
    semantic = "hit" if found.semantic_hit else f"miss: {found.semantic_why}"
    print(f"semantic  {semantic if not found.exact_hit else 'not asked'} (threshold {found.threshold:g})")
    for near in found.neighbors:
        refused = ", ".join(found.refused.get(near.key, ()))
        mark = f"  [refused: {refused}]" if refused else ""
        print(f"          {near.similarity:.3f}  {first_words(near.prompt or near.key, 90)}{mark}")
    print(f"route     {found.model} ({found.provider}): the requested model")
    print(f"decision  {found.decision}: costs {'≈ ' if found.cost_nano else ''}{format_usd(found.cost_nano)}")
    say(f"Costs of a call, with an answer of {found.output_tokens:,} tokens:")
    print_table(
        ("model", "a call", "1,000 calls"),
        [
            (priced.model, format_usd(priced.nano), format_usd(priced.nano and priced.nano * 1000))
            for priced in sorted(found.costs, key=lambda p: (p.nano is None, p.nano))
        ],
        right=(1, 2),
    )
