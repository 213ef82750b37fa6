"""`costconsole routing validate|show|train|what-if`: the routing config, checked, shown, learnt, compared."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, settings_of
from costconsole.domain.errors import ExitCode
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costconsole.domain.call import UnitPrices
    from costconsole.routing.model import ConfigFinding, Model, Route, RoutingConfig


def run(args: argparse.Namespace) -> int:
    if args.step == "train":
        return int(import_module("costconsole.commands.routing_train").run(args))
    if args.step == "what-if":
        return int(import_module("costconsole.commands.routing_whatif").run(args))
    return _validate(args) if args.step == "validate" else _show(args)


def _validate(args: argparse.Namespace) -> int:
    from costconsole.routing.config import ConfigProblem, decode, load_config, parse_config

    config: RoutingConfig | None = None
    try:
        if args.file == "-":
            config = parse_config(decode(sys.stdin.buffer.read(), "standard input"), "standard input")
        else:
            config = load_config(args.file)
        findings: Sequence[ConfigFinding] = config.findings
    except ConfigProblem as problem:
        findings = problem.findings
    if args.json:
        print_json(
            {
                "file": args.file,
                "valid": config is not None,
                "format": config.format if config else None,
                "version": config.version if config else None,
                "models": len(config.models) if config else None,
                "routes": len(config.routes) if config else None,
                "findings": [finding_document(finding) for finding in findings],
            }
        )
    else:
        for finding in findings:
            print(visible(finding_line(finding)))
        errors = sum(finding.level == "error" for finding in findings)
        counted = f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"
        if config is None:
            say(f"{args.file} can't be used: {counted}")
        else:
            models, routes = _count(len(config.models), "model"), _count(len(config.routes), "route")
            say(f"{args.file} is valid ({_FORMATS[config.format]}): {models}, {routes}; {counted}")
    return DONE if config is not None else int(ExitCode.USAGE)


_FORMATS = {
    "native": "costconsole's own form",
    "litellm": "LiteLLM's config.yaml",
    "redisvl": "a RedisVL router",
    "default": "the defaults",
}


def finding_line(finding: ConfigFinding) -> str:
    """`file:12: error: models.small.tier: ...`, as editors and CI take it."""
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    key = f"{finding.key}: " if finding.key else ""
    return f"{place}: {finding.level}: {key}{finding.message}"


def finding_document(finding: ConfigFinding) -> dict[str, Any]:
    """One finding, as JSON."""
    return {
        "level": finding.level,
        "file": finding.file,
        "line": finding.line,
        "key": finding.key,
        "message": finding.message,
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _show(args: argparse.Namespace) -> int:
    from costconsole.ledger.prices import PriceBook
    from costconsole.routing.config import default_config, load_config
    from costconsole.routing.endpoints import prices_of

    settings = settings_of(args)
    config = load_config(settings.routing) if settings.routing else default_config()
    book = PriceBook(prices_of(config, settings.prices))
    now_ms = int(time.time() * 1000)
    priced = {m.name: book.prices(m.provider, m.model, at_ms=now_ms) for m in config.models}
    if args.json:
        print_json(as_document(config, priced))
        return DONE
    print(f"routing   {visible(config.source)} ({_FORMATS[config.format]}, version {config.version})")
    print(f"tiers     cheap: {visible(config.tiers['cheap'])}   strong: {visible(config.tiers['strong'])}")
    print(f"default   {_meaning(config, config.default)}   savings against {visible(config.baseline)}")
    print(
        f"unsure    below similarity {config.unsure_below:g} the strong tier answers; a conversation keeps "
        f"its model for {_duration(config.sticky_s)}, a failed model rests for {_duration(config.cooldown_s)}"
    )
    aliases = [f"{alias} → {name or 'the router decides'}" for alias, name in config.aliases.items()]
    print(f"aliases   {visible(', '.join(aliases)) or 'none'}")
    print()
    print_table(
        ("model", "provider", "id", "tier", "$ in / out per M", "key", "fallbacks"),
        [_model_row(model, priced[model.name]) for model in config.models],
    )
    print()
    print_table(
        ("route", "taken by", "use", "threshold", "fallbacks"),
        [_route_row(config, route) for route in config.routes],
    )
    for finding in config.findings:
        say(finding_line(finding))
    return DONE


def _meaning(config: RoutingConfig, use: str) -> str:
    chosen = config.chosen(use).name
    return visible(use if chosen == use else f"{use} ({chosen})")


def _duration(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _model_row(model: Model, prices: UnitPrices | None) -> tuple[str, ...]:
    cost = "–" if prices is None else f"{prices.input / 1e9:g} / {prices.output / 1e9:g}"
    ready = "set" if os.environ.get(model.key_env, "").strip() else "not set"
    key = f"{model.key_env} {ready}" if model.key_env else "–"
    return (
        model.name,
        model.provider,
        model.model,
        model.tier,
        cost,
        key,
        ", ".join(model.fallbacks) or "–",
    )


def _route_row(config: RoutingConfig, route: Route) -> tuple[str, ...]:
    taken = []
    if route.rule is not None:
        taken.append("rules")
    if route.references:
        taken.append(_count(len(route.references), "phrase"))
    elif route.task:
        taken.append(f"task {route.task}" if route.task != route.name else "task")
    over = "above " if route.strict else ""
    return (
        route.name,
        ", ".join(taken),
        _meaning(config, route.use),
        "–" if route.threshold is None else f"{over}{route.threshold:g}",
        ", ".join(route.fallbacks) or "–",
    )


def as_document(config: RoutingConfig, priced: dict[str, UnitPrices | None]) -> dict[str, Any]:
    """The `routing show --json` document; prices in dollars per million tokens, null where unknown."""
    return {
        "source": config.source,
        "format": config.format,
        "version": config.version,
        "models": [
            {
                "name": model.name,
                "provider": model.provider,
                "model": model.model,
                "wire": model.wire,
                "base_url": model.base_url,
                "key_env": model.key_env or None,
                "tier": model.tier,
                "rank": model.rank,
                "context_tokens": model.context_tokens,
                "tools": model.tools,
                "fallbacks": list(model.fallbacks),
                "input_usd_per_mtok": None if (p := priced[model.name]) is None else p.input / 1e9,
                "output_usd_per_mtok": None if p is None else p.output / 1e9,
            }
            for model in config.models
        ],
        "tiers": dict(config.tiers),
        "routes": [_route_document(config, route) for route in config.routes],
        "default": config.default,
        "baseline": config.baseline,
        "aliases": {alias: name or None for alias, name in config.aliases.items()},
        "unsure_below": config.unsure_below,
        "sticky_s": config.sticky_s,
        "cooldown_s": config.cooldown_s,
        "findings": [finding_document(finding) for finding in config.findings],
    }


def _route_document(config: RoutingConfig, route: Route) -> dict[str, Any]:
    rule = route.rule
    return {
        "name": route.name,
        "task": route.task or None,
        "references": list(route.references),
        "threshold": route.threshold,
        "strict": route.strict,
        "use": route.use,
        "model": config.chosen(route.use).name,
        "fallbacks": list(route.fallbacks),
        "when": None
        if rule is None
        else {
            "tags": list(rule.tags),
            "keywords": list(rule.keywords),
            "patterns": [pattern.pattern for pattern in rule.patterns],
            "code": rule.code,
            "tools": rule.tools,
            "min_tokens": rule.min_tokens,
            "max_tokens": rule.max_tokens,
        },
    }
