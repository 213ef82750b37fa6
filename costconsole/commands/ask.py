"""`costconsole ask PROMPT`: answered from the cache, or by the model; recorded like any call."""

from __future__ import annotations

import argparse

from costconsole.commands.check import prompt_of
from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, find_ledger, settings_of
from costconsole.domain.errors import Refused
from costconsole.domain.format import milliseconds
from costconsole.domain.money import format_usd
from costconsole.domain.text import visible
from costconsole.settings import Settings

_DEFAULT_MODEL = "gpt-4o-mini"


def run(args: argparse.Namespace) -> int:
    from costconsole.embedding.factory import make_embedder
    from costconsole.gateway.pipeline import AUTO, Gateway
    from costconsole.ledger.ledger import Ledger
    from costconsole.ledger.prices import PriceBook
    from costconsole.prompt.messages import PromptMinimizer
    from costconsole.redis_store.discover import find_target

    settings = settings_of(args)
    prompt = prompt_of(args)
    if settings.read_only:
        raise Refused("ask would write to the cache and the ledger, and --read-only was given: try `check`")
    model = args.model or _usual_model(settings)
    embedder = make_embedder(
        settings.embedding_model, base_url=settings.embedding_url, api_key_env=settings.embedding_key_env
    )
    ledger = Ledger(
        find_ledger(settings), settings.namespace, prompts=settings.prompts, redact=settings.redact
    )
    try:
        with Gateway(
            find_target(settings),
            model=model,
            namespace=settings.namespace,
            embedder=embedder,
            ledger=ledger,
            prices=PriceBook(settings.prices),
            minimizer=PromptMinimizer(settings.minimize_level, settings.minimize_boilerplate),
            routing=settings.routing,
            prompts=settings.prompts,
            tag="cli",
        ) as gateway:
            gateway.warm()
            if model == AUTO or settings.routing:
                gateway.routing.router.wait()
            completion = gateway.complete(prompt, system=args.system)
            for problem in gateway.problems:
                say(problem)
    finally:
        ledger.close()
        embedder.close()
    call = completion.call
    if args.json:
        print_json(
            {
                "text": completion.text,
                "decision": "call" if not call.outcome.is_hit else call.outcome.value,
                "outcome": call.outcome.value,
                "similarity": completion.similarity,
                "model": completion.model,
                "route": {"name": call.route or None, "reason": completion.reason or None},
                "tokens": {"input": completion.usage.input, "output": completion.usage.output},
                "cost_usd": completion.cost_usd,
                "saved_usd": completion.saved_usd,
                "latency_ms": round(completion.latency_ms, 3),
                "key": completion.cached_key or None,
            }
        )
        return DONE
    print(visible(completion.text, multiline=True))
    near = "" if call.similarity is None else f" {call.similarity:.3f}"
    say(
        f"\n{call.outcome}{near}, {completion.model}, {milliseconds(completion.latency_ms)}, "
        f"{format_usd(call.spend_nano)}, saved {format_usd(call.savings.total if call.priced else None)}"
    )
    if completion.reason:
        say(visible(f"{f'route {call.route}' if call.route else 'no route'}: {completion.reason}"))
    return DONE


def _usual_model(settings: Settings) -> str:
    """Where a routing config is named, its router chooses."""
    if settings.routing:
        from costconsole.commands.route import automatic, routing_of

        return automatic(routing_of(settings)) or _DEFAULT_MODEL
    return _DEFAULT_MODEL
