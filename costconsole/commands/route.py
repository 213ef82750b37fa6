"""`costconsole route PROMPT`: which route and model a prompt gets, and why; nothing is sent."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from costconsole.commands.check import prompt_of
from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, open_embedder, settings_of
from costconsole.domain.errors import Problem
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.routing.choice import Choice
    from costconsole.routing.model import RoutingConfig
    from costconsole.routing.router import Router
    from costconsole.settings import Settings

_BAR = 20


def run(args: argparse.Namespace) -> int:
    from costconsole.routing.choice import Ask
    from costconsole.routing.router import Router

    settings = settings_of(args)
    config = routing_of(settings)
    messages: tuple[dict[str, Any], ...] = ({"role": "user", "content": prompt_of(args)},)
    if args.system:
        messages = ({"role": "system", "content": args.system}, *messages)
    ask = Ask(
        messages=messages, requested=args.model or automatic(config), tag=args.tag or "", tools=args.tools
    )

    async def work() -> int:
        async with open_embedder(settings) as embedder:
            router = Router(config, embedder=embedder)
            # An embedder that fails leaves the wording: the answer says so.
            problem = ""
            if router.needs_vector(ask):
                router.start()
                try:
                    asked = await router.awith_vector(ask)
                except Problem as failed:
                    asked, problem = ask, str(failed)
                await asyncio.to_thread(router.wait)
            else:
                asked = ask
            choice = router.decide(asked)
        if args.json:
            print_json(as_document(choice, config))
        else:
            _print(choice, config)
        _warn(router, problem)
        return DONE

    return asyncio.run(work())


def routing_of(settings: Settings) -> RoutingConfig:
    """The routing config of the settings, else the defaults. Raises ConfigProblem."""
    from costconsole.routing.config import default_config, load_config

    return load_config(settings.routing) if settings.routing else default_config()


def as_document(choice: Choice, config: RoutingConfig) -> dict[str, Any]:
    """The `route --json` document."""
    return {
        "route": choice.route or None,
        "task": choice.task or None,
        "model": choice.model.name,
        "provider": choice.model.provider,
        "provider_model": choice.model.model,
        "tier": choice.model.tier,
        "kind": choice.kind,
        "reason": choice.reason,
        "scores": {name: round(score, 6) for name, score in choice.scores.items()},
        "similarity": choice.similarity,
        "fallbacks": [model.name for model in choice.fallbacks],
        "without_embedding": choice.needs_vector,
        "config": {"source": config.source, "version": config.version},
    }


def automatic(config: RoutingConfig) -> str:
    """What a caller asks for who leaves the choice to the router."""
    return next((alias for alias, name in config.aliases.items() if not name), "")


def _print(choice: Choice, config: RoutingConfig) -> None:
    model = choice.model
    print(f"route      {visible(choice.route) or '–'}")
    print(f"model      {visible(model.name)} ({visible(model.provider)}, {model.tier})")
    print(f"why        {visible(choice.reason)}")
    print(f"fallbacks  {visible(', '.join(other.name for other in choice.fallbacks)) or 'none'}")
    if choice.scores:
        print()
        ranked = sorted(choice.scores.items(), key=lambda item: -item[1])
        print_table(
            ("route", "score", ""),
            [(name, f"{score:.3f}", "#" * round(max(0.0, score) * _BAR)) for name, score in ranked],
            right=(1,),
        )
    say(f"by {config.source}, version {config.version}")


def _warn(router: Router, problem: str) -> None:
    failed = (
        problem or router.status.removeprefix("failed: ") if router.status.startswith("failed") else problem
    )
    if failed:
        say(f"no embedding, so only the wording counted: {failed}")
    for finding in router.trained.findings:
        say(finding)
