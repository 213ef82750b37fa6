"""`costconsole check PROMPT`: what would happen to a prompt; nothing is sent or written."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.domain.errors import UsageProblem
from costconsole.domain.money import format_usd, nano_to_usd
from costconsole.domain.text import first_words, visible
from costconsole.domain.window import parse_window

if TYPE_CHECKING:
    from costconsole.gateway.checked import CacheCheck, Check

_DEFAULT_MODEL = "gpt-4o-mini"


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import find_caches
        from costconsole.gateway.check import Checker, usual
        from costconsole.ledger.prices import PriceBook

        prompt, settings = prompt_of(args), session.settings
        seen = usual(await session.figures(parse_window("24h"), recent=200))
        caches = await find_caches(session.client, session.server, session.keys, mappings=settings.caches)
        async with open_embedder(settings) as embedder:
            checker = Checker(
                session.client,
                session.keys,
                embedder,
                routing=settings.routing,
                level=settings.minimize_level,
                boilerplate=settings.minimize_boilerplate,
                prices=PriceBook(settings.prices),
            )
            try:
                model = args.model or (checker.automatic() if settings.routing else "")
                model = model or seen.model or _DEFAULT_MODEL
                if checker.is_routed(model):
                    await asyncio.to_thread(checker.dispatcher.router.wait)
                found = await checker.check(
                    prompt,
                    model=model,
                    system=args.system,
                    caches=caches,
                    usual=seen,
                    now_ms=int(time.time() * 1000),
                )
            finally:
                await checker.aclose()
        if args.json:
            print_json(as_document(found))
        else:
            print_check(found)
        for problem in dict.fromkeys((found.problem, found.route.problem)):
            if problem:
                say(problem)
        return DONE

    return run_session(args, work)


def prompt_of(args: argparse.Namespace) -> str:
    """The prompt of the arguments, or standard input for `-`. Raises UsageProblem for an empty one."""
    prompt: str = sys.stdin.read() if args.prompt == "-" else args.prompt
    if not prompt.strip():
        raise UsageProblem("the prompt is empty: write it as an argument, or - and give it on standard input")
    return prompt


def as_document(found: Check) -> dict[str, Any]:
    """The `check --json` document; a null cost is an unknown price."""

    def usd(nano: int | None) -> float | None:
        return None if nano is None else nano_to_usd(nano)

    route, shortened = found.route, found.shortened
    return {
        "prompt_tokens": found.prompt_tokens,
        "tokens_estimated": found.tokens_estimated,
        "input_tokens": found.input_tokens,
        "minimized": {
            "text": found.minimized_text,
            "tokens": found.minimized_tokens,
            "saved": found.prompt_tokens - found.minimized_tokens,
            "level": shortened.level if shortened else None,
            "why_not": (shortened.why or None) if shortened else None,
            "steps": [
                {"rule": step.rule, "tokens_saved": step.tokens_saved, "chars_saved": step.chars_saved}
                for step in (shortened.steps if shortened else ())
            ],
        },
        "exact": {
            "hit": found.exact_hit,
            "key": found.exact_key or None,
            "why": found.exact_why or None,
            "in_key": dict(found.exact_parts),
        },
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
            "caches": [_cache_document(cache) for cache in found.caches],
        },
        "route": {
            "name": route.name or None,
            "task": route.task or None,
            "model": route.model or found.model,
            "provider": found.provider,
            "provider_model": found.model,
            "kind": route.kind,
            "reason": route.reason,
            "scores": {name: round(score, 6) for name, score in route.scores.items()},
            "similarity": route.similarity,
            "fallbacks": list(route.fallbacks),
            "without_embedding": route.without_embedding,
            "missing_key": route.missing_key or None,
            "config": {"source": route.config, "version": route.version} if route.config else None,
        },
        "cost_usd": {
            "chosen": usd(found.cost_nano),
            "by_model": {priced.name or priced.model: usd(priced.nano) for priced in found.costs},
            "per_1000_by_model": {
                priced.name or priced.model: usd(priced.nano and priced.nano * 1000) for priced in found.costs
            },
            "batch_by_model": {priced.name or priced.model: usd(priced.batch_nano) for priced in found.costs},
            "assumed_output_tokens": found.output_tokens,
        },
        "decision": found.decision,
    }


def _cache_document(cache: CacheCheck) -> dict[str, Any]:
    return {
        "name": cache.name,
        "library": cache.library,
        "own": cache.own,
        "hit": cache.hit,
        "threshold": cache.threshold,
        "threshold_from": cache.source,
        "only_within": cache.scope_field or None,
        "why": cache.why or None,
        "note": cache.note or None,
        "neighbors": [
            {
                "key": near.key,
                "similarity": near.similarity,
                "prompt": near.prompt,
                "verdict": near.verdict,
                "why": near.why or None,
                "scope": near.scope,
                "guards": list(near.guards),
                "ttl_s": None if near.ttl_ms is None else near.ttl_ms / 1000,
            }
            for near in cache.near
        ],
    }


def print_check(found: Check) -> None:
    about = "≈ " if found.tokens_estimated else ""
    print(f"prompt    {about}{found.prompt_tokens:,} tokens ({about}{found.input_tokens:,} with its frame)")
    print(f"minimize  {_minimized(found)}")
    print(f"exact     {'hit ' + found.exact_key if found.exact_hit else 'miss: ' + visible(found.exact_why)}")
    parts = "; ".join(f"{name} {value}" for name, value in found.exact_parts)
    print(f"          the key holds: {visible(parts)}")
    if not found.caches:
        print(f"semantic  miss: {visible(found.semantic_why)} (threshold {found.threshold:g})")
    for cache in found.caches:
        _print_cache(cache, found.exact_hit)
    route = found.route
    by = f", route {route.name}" if route.name else ""
    print(f"route     {visible(found.model)} ({visible(found.provider + by)}): {visible(route.reason)}")
    for name, score in sorted(route.scores.items(), key=lambda item: -item[1])[:8]:
        print(f"          {score:.3f}  {visible(name)}")
    print(f"decision  {found.decision}: costs {'≈ ' if found.cost_nano else ''}{format_usd(found.cost_nano)}")
    say(f"Costs of a call, with an answer of {found.output_tokens:,} tokens:")
    print_table(
        ("model", "a call", "1,000 calls", "1,000 in a batch", ""),
        [
            (
                priced.name or priced.model,
                format_usd(priced.nano),
                format_usd(priced.nano and priced.nano * 1000),
                format_usd(priced.batch_nano and priced.batch_nano * 1000),
                "chosen" if priced.chosen else "baseline" if priced.baseline else "",
            )
            for priced in found.costs
        ],
        right=(1, 2, 3),
    )


def _minimized(found: Check) -> str:
    shortened = found.shortened
    if shortened is None or shortened.why:
        return f"nothing: {shortened.why if shortened else 'not asked'}"
    if not shortened.saved:
        return f"nothing to take away (level {shortened.level})"
    about = "≈ " if shortened.estimated else ""
    rules = ", ".join(f"{step.rule} {step.tokens_saved:,}" for step in shortened.steps)
    return f"{about}{shortened.before:,} -> {shortened.after:,} tokens (level {shortened.level}): {rules}"


def _print_cache(cache: CacheCheck, exact_hit: bool) -> None:
    verdict = "hit" if cache.hit else f"miss: {visible(cache.why)}"
    if cache.own and exact_hit:
        verdict = "not asked"
    threshold = "threshold unknown" if cache.threshold is None else f"threshold {cache.threshold:g}"
    if cache.source == "default":
        threshold += f", {cache.library}'s default"
    whose = "" if cache.own else f" of {cache.library}"
    print(f"semantic  {visible(cache.name)}{visible(whose)}: {verdict} ({visible(threshold)})")
    for near in cache.near:
        mark = "  [served]" if near.verdict == "served" and not near.why else ""
        mark = mark or (f"  [{visible(near.why)}]" if near.verdict not in ("below", "served") else "")
        if near.verdict == "served" and near.why:
            mark = f"  [served {visible(near.why)}]"
        print(f"          {near.similarity:.3f}  {first_words(near.prompt or near.key, 80)}{mark}")
    if cache.note:
        say(cache.note)
