"""The way of a call as rows: a step a row, a cache a row, what becomes of it and why."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from costconsole.console.lab import Sent
from costconsole.console.safe import join, safe
from costconsole.console.widgets.bars import Charset, bar
from costconsole.console.widgets.columns import Column, Row
from costconsole.domain.format import ESTIMATE, UNKNOWN, count, duration, similarity
from costconsole.domain.money import format_usd
from costconsole.domain.text import first_words
from costconsole.gateway.checked import CacheCheck, Check, Priced

MINIMIZE, EXACT, SEMANTIC, ROUTE, COST, DECISION = (
    "minimize",
    "exact",
    "semantic",
    "route",
    "cost",
    "decision",
)
ANSWER, COMPARE = "answer", "compare"
COLUMNS = (
    Column("step", "step", 9),
    Column("result", "what comes out", 25),
    Column("words", "why", 20, flex=True),
)
_SHORT = {
    "below": "too far",
    "scope": "another scope",
    "expired": "expired",
    "filtered": "no answer in it",
    "refused": "refused",
    "ratchet": "was a wrong hit",
}
_BAR = 6
_WORDS = 400


def rows(found: Check, charset: Charset) -> list[Row]:
    """The steps of a check, in their order."""
    made = [_minimize(found), _exact(found)]
    made += [_semantic(cache, found.exact_hit, charset) for cache in found.caches]
    if not found.caches:
        made.append(_row(SEMANTIC, safe("– not asked", "muted"), found.semantic_why))
    return [*made, _route(found), _cost(found), _decision(found)]


def answer_row(key: str, sent: Sequence[Sent | None], waiting_ms: float) -> Row:
    """The row of what was sent: one answer, or two beside each other."""
    if any(one is None for one in sent):
        return _row(key, safe(f"… {duration(waiting_ms)}", "accent"), "Esc stops it")
    done = [one for one in sent if one is not None]
    if all(one.whole for one in done):
        result = safe("✓ " + " / ".join(duration(one.total_ms) for one in done), "good")
    elif any(one.error for one in done):
        result = safe("✗ failed", "bad")
    else:
        result = safe("‖ stopped", "warn")
    words = [
        one.error or f"{one.model}: {count(one.usage.output)} tokens, {format_usd(one.cost_nano)}"
        for one in done
    ]
    return _row(key, result, "; ".join(words))


def cache_key(cache: CacheCheck) -> str:
    """The key of a cache's row."""
    return f"{SEMANTIC}\0{cache.name}"


def _row(key: str, result: Content, words: str) -> Row:
    return Row(key, (safe(key.partition("\0")[0], "strong"), result, first_words(words, _WORDS)))


def _minimize(found: Check) -> Row:
    shortened = found.shortened
    if shortened is None:
        return _row(MINIMIZE, safe(UNKNOWN, "muted"), "")
    about = ESTIMATE if shortened.estimated else ""
    if not shortened.saved:
        why = shortened.why or f"level {shortened.level} finds nothing to take away"
        return _row(MINIMIZE, safe(f"{about}{count(shortened.after)} tokens"), why)
    rules = ", ".join(f"{step.rule} {step.tokens_saved:,}" for step in shortened.steps)
    result = join(
        safe(f"{about}{count(shortened.before)} → "), safe(f"{about}{count(shortened.after)} tokens", "good")
    )
    return _row(MINIMIZE, result, f"-{shortened.saved:,}: {rules}; d shows what went")


def _exact(found: Check) -> Row:
    if found.exact_hit:
        return _row(EXACT, safe("✓ hit", "accent"), f"served from {found.exact_key[-72:]}")
    mark = "✗ miss" if found.exact_key else "– not asked"
    return _row(EXACT, safe(mark, "muted"), found.exact_why)


def _semantic(cache: CacheCheck, answered: bool, charset: Charset) -> Row:
    nearest = next((one for one in cache.near if one.verdict == "served"), None)
    if nearest is None:
        # What stands in the way is told of the nearest that counts: other scopes are another's.
        mine = [one for one in cache.near if one.verdict not in ("scope", "expired")]
        nearest = next(iter(mine or cache.near), None)
    name = cache.name if cache.own else f"{cache.name} ({cache.library})"
    if nearest is None:
        return Row(
            cache_key(cache), (safe(SEMANTIC, "strong"), safe("✗ miss", "muted"), _told(name, cache.why))
        )
    mark, ink = ("✓", "second") if cache.hit else ("✗", "muted")
    limit = UNKNOWN if cache.threshold is None else similarity(cache.threshold)
    sign = "≥" if cache.threshold is not None and nearest.similarity >= cache.threshold else "<"
    result = join(
        safe(f"{mark} {similarity(nearest.similarity):>4} ", ink),
        safe(bar(above(nearest.similarity), _BAR, charset), ink),
        safe(f" {sign if cache.threshold is not None else '?'} {limit}", "muted"),
    )
    short = _SHORT.get(nearest.verdict, "")
    if nearest.verdict == "refused":
        short = f"refused, {nearest.why}"
    words = f"{short}: {nearest.prompt or nearest.key}" if short else cache.why
    if cache.hit and cache.own and answered:
        words = "not asked: the exact cache answers"
    elif cache.hit and not cache.own:
        words = f"its writer would serve {nearest.prompt or nearest.key}"
    elif cache.hit:
        words = f"served: {nearest.prompt or nearest.key}"
    return Row(cache_key(cache), (safe(SEMANTIC, "strong"), result, _told(name, words)))


def _told(name: str, words: str) -> str:
    return first_words(f"{name} {words}", _WORDS)


def above(value: float) -> float:
    """Similarities of interest lie between .5 and 1: bars show that half."""
    return max(0.0, (value - 0.5) * 2)


def _route(found: Check) -> Row:
    route = found.route
    model = route.model or found.model
    words = route.reason
    if route.name:
        words = f"route {route.name}: {words}"
    if route.problem:
        words = f"{words} (the config file has errors, the last good one counts)"
    return _row(ROUTE, safe(f"→ {model}", "accent"), words)


def chosen(found: Check) -> Priced | None:
    """The row of the model that would be asked."""
    return next((row for row in found.costs if row.chosen), None)


def _cost(found: Check) -> Row:
    row = chosen(found)
    if row is None or row.nano is None:
        return _row(COST, safe(f"{UNKNOWN} unknown", "warn"), "no price is known for this model")
    batch = "" if row.batch_nano is None else f", in a batch {format_usd(row.batch_nano * 1000)}"
    about = ESTIMATE if found.tokens_estimated else ""
    words = (
        f"1,000 calls {format_usd(row.nano * 1000)}{batch}; in {about}{count(found.input_tokens)}, "
        f"out {ESTIMATE}{count(found.output_tokens)} tokens"
    )
    return _row(COST, safe(f"{ESTIMATE} {format_usd(row.nano)} a call"), words)


def _decision(found: Check) -> Row:
    if found.decision == "exact":
        return _row(DECISION, safe("answered: exact", "accent"), "no model is asked; costs nothing")
    if found.decision == "semantic":
        return _row(DECISION, safe("answered: semantic", "second"), "no model is asked; costs nothing")
    key = found.route.missing_key
    words = f"ctrl+s asks {found.route.model or found.model}"
    if key:
        words = f"ctrl+s needs a key: set {key} in the environment" if " " not in key else key
    return _row(DECISION, safe(f"call {found.route.model or found.model}", "strong"), words)
