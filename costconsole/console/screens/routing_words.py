"""What the Routing page says in lines: its head, one route or model in full, the config and its findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from rich.cells import cell_len

from costconsole.console.routing_values import SWITCHES, ConfigState
from costconsole.console.screens.entries_wrap import prefixed, wrap
from costconsole.console.screens.routing_tables import ModelLine, RouteLine, health_words, use_words
from costconsole.console.widgets.painted import Line, Span, fit, spread, width_of
from costconsole.domain.figures import Figures, Policy
from costconsole.domain.format import clock, count, dollars, milliseconds, percent, similarity
from costconsole.domain.text import first_words, visible
from costconsole.routing.model import ConfigFinding, Rule

HOW_TO_SET = "costconsole --routing FILE, COSTCONSOLE_ROUTING=FILE, or [routing] file in the config file"
FORMATS = {
    "native": "costconsole's own form",
    "litellm": "LiteLLM's config.yaml",
    "redisvl": "a RedisVL router",
    "default": "the defaults",
}
_LABEL = 12
_PHRASES = 40
_MARKS = {"error": ("✗ ", "bad"), "warning": ("! ", "warn")}


def head_lines(
    state: ConfigState | None, policy: Policy | None, *, writable: bool, present: bool, width: int
) -> list[Line]:
    """Two lines: the config and how its file stands; the switches, and what savings count against."""
    if state is None:
        return [(("config  reading…", "muted"),)]
    return [_config_line(state, width), _switch_line(state, policy, writable, present, width)]


def _config_line(state: ConfigState, width: int) -> Line:
    config = state.config
    if state.problems:
        first = next((one for one in state.problems if one.level == "error"), state.problems[0])
        place = "" if first.line is None else f"line {first.line}: "
        key = f"{visible(first.key)}: " if first.key else ""
        use = "the defaults are used" if config.format == "default" else "the last good one stays"
        more = len(state.problems) - 1
        tail: Line = ((f" · {use}{f' · {more} more' if more else ''}: c", "warn"),)
        said = f"✗ {_file(state)}  {place}{key}{visible(first.message)}"
        room = max(10, width - sum(len(text) for text, _ in tail))
        return ((fit(said, min(room, max(10, len(said)))), "bad"), *tail)
    warnings = sum(one.level == "warning" for one in config.findings)
    if state.path is None:
        words: Line = (("config  ", "muted"), ("none: the defaults route", "strong"))
        tail = ((" · set one: costconsole --routing FILE (c says more)", "muted"),)
        return _cut((*words, *tail), width)
    left: Line = (("config  ", "muted"), (_file(state), "strong"))
    right: Span = ("✓ valid, followed live", "good")
    if warnings:
        right = (f"! {count(warnings)} {'warning' if warnings == 1 else 'warnings'}: c", "warn")
    about = f" · {FORMATS[config.format]} · version {config.version}"
    return _cut((*left, (" · ", "muted"), right, (about, "muted")), width)


def _switch_line(
    state: ConfigState, policy: Policy | None, writable: bool, present: bool, width: int
) -> Line:
    spans: list[Span] = []
    for name in SWITCHES:
        on = policy is None or bool(getattr(policy, name))
        spans += [
            (f"{name} ", "muted"),
            ("✓ on" if on else "✗ off", "good" if on else "warn"),
            ("  ", "text"),
        ]
    config = state.config
    default = visible(use_words(state, config.default))
    about = f"default {default} · baseline {visible(config.baseline)}"
    spans.append((about, "muted"))
    right: Line = () if writable else (("read-only", "muted"),)
    if not present:
        right = (("no ledger here: only what the config says", "warn"),)
    return spread(_cut(tuple(spans), width - width_of(right) - 2 if right else width), right, width)


def _file(state: ConfigState) -> str:
    path = state.path or ""
    return visible(path.rsplit("/", 1)[-1] or path)


def _cut(line: Line, width: int) -> Line:
    """The line in `width` cells at most."""
    spans: list[Span] = []
    left = width
    for text, ink in line:
        if left <= 0:
            break
        shown = text if cell_len(text) <= left else fit(text, left)
        spans.append((shown, ink))
        left -= cell_len(shown)
    return tuple(spans)


def config_lines(state: ConfigState, tz: tzinfo | None, width: int) -> list[Line]:
    """Where the config is from, and every finding of its file."""
    config = state.config
    made: list[Line] = [(("The routing config", "strong"),), ()]
    if state.path is None:
        made += _said(
            "There is none: the defaults route by eight kinds of task to current models of the providers "
            "whose keys are set here.",
            width,
        )
        made += [(), *_fact("set one", HOW_TO_SET, width, "accent")]
        made += _fact("write one", "costconsole routing show --json is what the defaults are", width)
    else:
        made += _fact("file", state.path, width)
        made += _fact("named by", state.origin or "–", width)
    made += _fact("form", FORMATS[config.format], width)
    made += _fact("version", config.version, width)
    if state.taken_ms is not None and state.path is not None:
        made += _fact(
            "taken at", f"{clock(state.taken_ms, tz)}; a valid change is taken within a second", width
        )
    made += _fact("tiers", f"cheap {config.tiers['cheap']} · strong {config.tiers['strong']}", width)
    made += _fact("default", use_words(state, config.default), width)
    made += _fact("baseline", f"{config.baseline}: savings by routing count against it", width)
    aliases = [f"{alias} → {name or 'the router decides'}" for alias, name in config.aliases.items()]
    made += _fact("aliases", ", ".join(aliases) or "none", width)
    made += [()]
    if state.problems:
        use = (
            "The defaults are used." if config.format == "default" else "The last good content stays in use."
        )
        made += _said(f"Its newest content can't be used. {use}", width, "bad")
        made += _findings(state.problems, width)
    elif config.findings:
        made += _findings(config.findings, width)
    else:
        made += [(("✓ ", "good"), ("nothing was found to be wrong with it", "text"))]
    return made


def _findings(findings: Sequence[ConfigFinding], width: int) -> list[Line]:
    made: list[Line] = [()]
    for one in findings:
        place = "" if one.line is None else f"line {one.line}  "
        spans: list[Span] = [(place, "accent")]
        if one.key:
            spans.append((f"{visible(one.key)}: ", "strong"))
        spans.append((visible(one.message), "text"))
        mark = _MARKS[one.level]
        made += prefixed(wrap(spans, max(10, width - 2)), (mark,), (("  ", "text"),))
    return made


def route_detail(line: RouteLine, state: ConfigState, window: str, width: int) -> list[Line]:
    """One route in full."""
    route = line.route
    made: list[Line] = [(("Route  ", "muted"), (first_words(line.name, 200) or "(no route)", "strong")), ()]
    if line.standing == "ledger":
        made += _said(
            "Calls of the ledger name it, the config in use doesn't: the application names it itself, or the "
            "calls are older than the config."
            if line.name
            else "Calls without a route: their model was named, no route was like them, or routing is off.",
            width,
            "warn" if line.name else "muted",
        )
    elif line.standing == "config":
        made += _said(f"No call took it in the last {window}.", width, "muted")
    if route is not None:
        made += [()] if made[-1] else []
        made += _fact("task", route.task or "–", width)
        made += _fact("goes to", use_words(state, route.use), width)
        made += _fact("fallbacks", ", ".join(route.fallbacks) or "none of its own", width)
        over = "above" if route.strict else "from"
        made += _fact(
            "threshold",
            "none" if route.threshold is None else f"{over} similarity {similarity(route.threshold)}",
            width,
        )
        made += _fact("rules", rule_words(route.rule), width)
        if route.references:
            made += [(), ((f"{count(len(route.references))} phrases", "muted"),)]
            for phrase in route.references[:_PHRASES]:
                made.append((("· ", "muted"), (fit(first_words(phrase, 300), max(8, width - 2)), "text")))
            if len(route.references) > _PHRASES:
                made.append(((f"and {count(len(route.references) - _PHRASES)} more", "muted"),))
        elif route.task:
            made += _fact("phrases", "those that are shipped for its task", width)
    if line.figures.calls:
        made += [(), *_figure_lines(line.figures, window, width)]
    return made


def model_detail(line: ModelLine, state: ConfigState, window: str, width: int) -> list[Line]:
    """One model in full."""
    model = line.model
    made: list[Line] = [(("Model  ", "muted"), (first_words(line.name, 200), "strong")), ()]
    if model is None:
        made += _said(
            "Calls of the ledger were answered by it, the config in use doesn't name it: the application asks"
            " it itself, or the calls are older than the config.",
            width,
            "warn",
        )
    else:
        made += _fact("asks", f"{model.provider} for {model.model}, in {model.wire}'s form", width)
        made += _fact("at", model.base_url or "the provider's usual address", width)
        made += _fact("tier", f"{model.tier}, rank {model.rank} (fallbacks never go lower)", width)
        made += _price_lines(line, state, width)
        made += _key_lines(line, state, width)
        made += _fact(
            "context", "–" if model.context_tokens is None else f"{count(model.context_tokens)} tokens", width
        )
        made += _fact("tools", "yes" if model.tools else "no", width)
        made += _fact("fallbacks", ", ".join(model.fallbacks) or "none of its own", width)
        routes = [route.name for route in state.config.routes if state.config.chosen(route.use) is model]
        made += _fact("routes", ", ".join(routes) or "none leads to it", width)
    if line.shared:
        made += _fact("note", f"its calls are counted together with {', '.join(line.shared)}: same id", width)
    words, ink = health_words(line)
    made += [(), *_fact("calls", words, width, ink or "text")]
    if line.figures.calls:
        made += _figure_lines(line.figures, window, width)
    return made


def _price_lines(line: ModelLine, state: ConfigState, width: int) -> list[Line]:
    prices = state.prices.get(line.name)
    if prices is None:
        return _fact(
            "price", "unknown: give `prices` in the config, or its calls can't be priced", width, "warn"
        )
    whose = "the config or the settings" if line.name in state.overridden else prices.version
    return _fact(
        "price",
        f"$ {prices.input / 1e9:g} in, {prices.output / 1e9:g} out, {prices.cached_input / 1e9:g} cached in, "
        f"per million tokens (of {whose})",
        width,
    )


def _key_lines(line: ModelLine, state: ConfigState, width: int) -> list[Line]:
    name = line.model.key_env if line.model is not None else ""
    if not name:
        return _fact("key", "none is named", width)
    if state.keys.get(name):
        return _fact("key", f"✓ {name} is set in this console's environment", width, "good")
    return _fact(
        "key",
        f"✗ {name} is missing in this console's environment; of the applications' it can't be told",
        width,
        "warn",
    )


def _figure_lines(f: Figures, window: str, width: int) -> list[Line]:
    misses = f.miss_latency
    made = [((f"in the last {window}", "muted"),)]
    lines: list[Line] = list(made)
    lines += _fact("calls", f"{count(f.calls)}, of these {count(f.errors)} failed", width)
    lines += _fact("hit rate", f"{percent(f.hit_rate)} %", width)
    lines += _fact("spend", f"$ {dollars(f.spend_nano, 4)}", width)
    lines += _fact("routing", f"saved $ {dollars(f.saved.routing, 4)} against the baseline", width)
    lines += _fact(
        "latency",
        f"p50 {milliseconds(misses.quantile(0.5))} ms, p95 {milliseconds(misses.quantile(0.95))} ms "
        "(calls that reached a model)",
        width,
    )
    if f.unpriced:
        lines += _fact("unpriced", f"{count(f.unpriced)} calls: their price is unknown", width, "warn")
    return lines


def rule_words(rule: Rule | None) -> str:
    """When a route is taken without looking at meaning."""
    if rule is None:
        return "none"
    parts = [
        f"{word} {', '.join(values)}"
        for word, values in (
            ("tag", rule.tags),
            ("word", rule.keywords),
            ("pattern", tuple(pattern.pattern for pattern in rule.patterns)),
        )
        if values
    ]
    for word, wanted in (("code", rule.code), ("tools", rule.tools)):
        if wanted is not None:
            parts.append(word if wanted else f"no {word}")
    if rule.min_tokens is not None:
        parts.append(f"from {count(rule.min_tokens)} tokens")
    if rule.max_tokens is not None:
        parts.append(f"up to {count(rule.max_tokens)} tokens")
    return " and ".join(parts) or "none"


def _said(text: str, width: int, ink: str = "text") -> list[Line]:
    return wrap(((visible(text), ink),), width)


def _fact(name: str, text: str, width: int, ink: str = "text") -> list[Line]:
    rest = wrap(((visible(text), ink),), max(8, width - _LABEL))
    return prefixed(rest, ((fit(name, _LABEL), "muted"),), ((" " * _LABEL, "text"),))
