"""One step of the way in full: what went, neighbours against the threshold, scores, prices."""

from __future__ import annotations

from collections.abc import Sequence

from costconsole.console.screens.entries_wrap import prefixed, wrap, wrap_text
from costconsole.console.screens.lab_way import (
    COST,
    DECISION,
    EXACT,
    MINIMIZE,
    ROUTE,
    SEMANTIC,
    above,
    cache_key,
    chosen,
)
from costconsole.console.widgets.bars import Charset, bar
from costconsole.console.widgets.painted import Line, fit
from costconsole.domain.format import ESTIMATE, UNKNOWN, age, count, percent, similarity
from costconsole.domain.money import format_usd
from costconsole.domain.text import first_words, visible
from costconsole.gateway.checked import CacheCheck, Check, Near
from costconsole.prompt.diff import Line as Changed

_LABEL = 14
_BLANK: Line = ()
_MOST = 2_000
"""Lines of differences that are shown."""
_SIGNS = {"same": ("  ", "muted"), "removed": ("- ", "bad"), "added": ("+ ", "good")}


def title(key: str) -> str:
    """What stands in the border of a step's detail."""
    step, _, cache = key.partition("\0")
    words = {
        MINIMIZE: "Minimize",
        EXACT: "Exact cache",
        ROUTE: "Route",
        COST: "Cost, $, by model",
        DECISION: "Decision",
    }
    return f"Semantic · {visible(cache)}" if step == SEMANTIC else words.get(step, "Step")


def detail(
    found: Check, key: str, width: int, charset: Charset, changed: Sequence[Changed] | None = None
) -> list[Line]:
    """The lines of one step; `changed` is what minimization changed, once that is known."""
    step = key.partition("\0")[0]
    if step == MINIMIZE:
        return _minimize(found, width, changed)
    if step == EXACT:
        return _exact(found, width)
    if step == SEMANTIC:
        cache = next((one for one in found.caches if cache_key(one) == key), None)
        return _words(found.semantic_why, width) if cache is None else _cache(cache, width, charset)
    if step == ROUTE:
        return _route(found, width, charset)
    return _costs(found, width) if step == COST else _decision(found, width)


def _words(text: str, width: int, ink: str = "text") -> list[Line]:
    return wrap_text(visible(text), width, ink)


def _fact(label: str, text: str, width: int, ink: str = "text") -> list[Line]:
    rows = _words(text, max(10, width - _LABEL), ink)
    name = fit(visible(label), _LABEL - 1) + " "
    return prefixed(rows, ((name, "muted"),), ((" " * _LABEL, "muted"),))


def _minimize(found: Check, width: int, changed: Sequence[Changed] | None) -> list[Line]:
    shortened = found.shortened
    if shortened is None:
        return []
    about = ESTIMATE if shortened.estimated else ""
    lines = [
        *_fact(
            "tokens", f"{about}{count(shortened.before)} → {about}{count(shortened.after)}", width, "strong"
        ),
        *_fact("level", shortened.level, width),
    ]
    if shortened.why:
        lines += _fact("left as it is", shortened.why, width)
    for step in shortened.steps:
        said = f"-{step.tokens_saved:,} tokens, {step.chars_saved:,} characters"
        lines += _fact(step.rule, said, width)
    if not shortened.saved:
        return [*lines, _BLANK, *_words("Nothing of this prompt goes.", width, "muted")]
    lines += [_BLANK, (("What went", "muted"),)]
    if changed is None:
        return [*lines, *_words("comparing…", width, "muted")]
    return [*lines, *diff_lines(changed, width)]


def diff_lines(changed: Sequence[Changed], width: int) -> list[Line]:
    """Lines that went and came, changed words in them marked; blanks that went as dots."""
    lines: list[Line] = []
    for line in changed[:_MOST]:
        if line.kind == "gap":
            lines.append(((f"  … {line.hidden:,} equal lines", "faint"),))
            continue
        sign, ink = _SIGNS[line.kind]
        spans = []
        for span in line.spans:
            shown = visible(span.text)
            if span.changed and not span.text.strip():
                shown = shown.replace(" ", "·")
            spans.append((shown, ink if span.changed or line.kind == "same" else "text"))
        lines += prefixed(wrap(spans, max(8, width - 2)), ((sign, ink),), (("  ", ink),))
    if len(changed) > _MOST:
        lines.append(((f"  … {len(changed) - _MOST:,} more lines", "faint"),))
    return lines


def _exact(found: Check, width: int) -> list[Line]:
    if found.exact_hit:
        head = _words("Hit: this very request was asked before, and its answer is served.", width, "accent")
    else:
        head = _words(f"Miss: {found.exact_why}.", width)
    lines = [*head, _BLANK]
    if found.exact_key:
        lines += [*_fact("key", found.exact_key, width), _BLANK, (("In the key", "muted"),)]
    for name, value in found.exact_parts:
        lines += _fact(name, value, width)
    return lines


def _cache(cache: CacheCheck, width: int, charset: Charset) -> list[Line]:
    whose = "this namespace's own cache" if cache.own else f"a cache of {cache.library}"
    verdict = "Hit" if cache.hit else f"Miss: {cache.why}"
    if cache.hit and cache.scope_field:
        verdict += f", if it is asked within the same {cache.scope_field}"
    lines = _words(f"{verdict}.", width, "second" if cache.hit else "text")
    lines += [_BLANK, *_fact("cache", f"{cache.name}, {whose}", width)]
    limit = UNKNOWN if cache.threshold is None else similarity(cache.threshold)
    origin = {
        "policy": "from the live policy",
        "stored": "as its writer keeps it in Redis",
        "default": f"the default of {cache.library}; its application may have another",
        "unknown": "in its application's code",
    }[cache.source]
    lines += _fact("threshold", f"{limit}, {origin}", width)
    if cache.wrapped:
        lines += _fact("embedded", "more than the prompt: it is wrapped as its writer wraps it", width)
    if cache.note:
        lines += _fact("note", cache.note, width, "warn")
    lines += [_BLANK, *_neighbours(cache, width, charset)]
    return lines


def _neighbours(cache: CacheCheck, width: int, charset: Charset) -> list[Line]:
    """The nearest with bars, and the threshold drawn between those that it parts."""
    if not cache.near:
        return _words("No neighbour was found.", width, "muted")
    lines: list[Line] = []
    drawn = cache.threshold is None
    for one in cache.near:
        if not drawn and one.similarity < (cache.threshold or 0.0):
            lines.append(_threshold_line(cache.threshold or 0.0, width, charset))
            drawn = True
        lines += _neighbour(one, width, charset)
    if not drawn:
        lines.append(_threshold_line(cache.threshold or 0.0, width, charset))
    return lines


def _threshold_line(value: float, width: int, charset: Charset) -> Line:
    dash = "-" if charset == "ascii" else "─"
    words = f"{dash} threshold {similarity(value)} "
    return ((words + dash * max(0, width - len(words)), "accent"),)


_MARKS = {
    "served": ("✓", "second"),
    "passes": ("·", "text"),
    "below": (" ", "muted"),
    "scope": ("≠", "muted"),
    "expired": ("✗", "muted"),
    "filtered": ("✗", "muted"),
    "refused": ("!", "warn"),
    "ratchet": ("!", "warn"),
}


def _neighbour(one: Near, width: int, charset: Charset) -> list[Line]:
    mark, ink = _MARKS[one.verdict]
    head: Line = (
        (f"{mark} ", ink),
        (f"{similarity(one.similarity):>4} ", "strong" if one.verdict == "served" else "text"),
        (bar(above(one.similarity), 6, charset) + " ", ink),
    )
    room = max(10, width - 14)
    text = first_words(one.prompt, 300) if one.prompt is not None else visible(one.key)
    rows = wrap_text(text, room, "text" if one.verdict in ("served", "passes") else "muted")[:2]
    lines = prefixed(rows, head, ((" " * 14, "text"),))
    notes = []
    if one.verdict == "served" and not one.why:
        notes.append("this one is served")
    elif one.verdict != "below":
        notes.append(one.why)
    if one.guards and one.verdict == "scope":
        notes.append(f"would be refused: {', '.join(one.guards)}")
    if one.model:
        notes.append(one.model)
    if one.ttl_ms is not None:
        notes.append(f"expires in {age(one.ttl_ms)}")
    if notes:
        lines += prefixed(
            wrap_text(visible("; ".join(notes)), room, "faint"), ((" " * 14, "text"),), ((" " * 14, "text"),)
        )
    return lines


def _route(found: Check, width: int, charset: Charset) -> list[Line]:
    route = found.route
    lines = _words(f"{(route.reason or 'the requested model')[:1].upper()}{route.reason[1:]}.", width)
    lines += [
        _BLANK,
        *_fact("model", f"{route.model or found.model} ({found.provider} {found.model})", width, "accent"),
    ]
    facts = [
        ("route", route.name),
        ("task", route.task),
        ("decided by", route.kind),
        ("tier", route.tier),
        ("if it fails", ", ".join(route.fallbacks)),
        ("config", f"{route.config}, version {route.version}" if route.config else ""),
    ]
    for label, text in facts:
        if text:
            lines += _fact(label, text, width)
    if route.without_embedding:
        lines += _fact("note", "decided by the wording alone: there is no embedding yet", width, "warn")
    if route.problem:
        lines += _fact("config", f"the newest content is not used: {route.problem}", width, "warn")
    if route.scores:
        lines += [_BLANK, (("Scores of all routes", "muted"),)]
        name_width = min(24, max(len(visible(name)) for name in route.scores) + 1)
        room = max(4, min(30, width - name_width - 7))
        for name, score in sorted(route.scores.items(), key=lambda item: -item[1]):
            ink = "accent" if name == route.name else "muted"
            lines.append(
                (
                    (fit(visible(name), name_width), "text" if name == route.name else "muted"),
                    (f"{similarity(score):>4} ", "text"),
                    (bar(score, room, charset), ink),
                )
            )
    if route.similarity is not None:
        lines += [_BLANK, *_fact("nearest", f"example at similarity {similarity(route.similarity)}", width)]
    return lines


def _costs(found: Check, width: int) -> list[Line]:
    about = ESTIMATE if found.tokens_estimated else ""
    lines = _words(
        f"For {about}{count(found.input_tokens)} tokens in and {ESTIMATE}{count(found.output_tokens)} out, "
        "the usual length of an answer.",
        width,
        "muted",
    )
    money = 10
    wide = width >= 60
    name_width = max(12, min(34, width - money * 3 - 4 - (11 if wide else 0)))
    head = f"  {fit('model', name_width)}{'a call':>{money}}{'1,000':>{money}}{'batch 1,000':>{money + 2}}"
    lines += [_BLANK, ((head, "muted"),)]
    for row in found.costs:
        mark = "▸ " if row.chosen else "  "
        cells = [
            format_usd(row.nano),
            format_usd(row.nano and row.nano * 1000),
            format_usd(row.batch_nano and row.batch_nano * 1000),
        ]
        word = "chosen" if row.chosen else "baseline" if row.baseline else ""
        word = word or ("no key" if row.without_key else "")
        ink = "accent" if row.chosen else "muted" if row.nano is None else "text"
        text = f"{mark}{fit(first_words(row.name or row.model, 60), name_width)}"
        text += f"{cells[0]:>{money}}{cells[1]:>{money}}{cells[2]:>{money + 2}}"
        lines.append(((text, ink), (f"  {word}" if wide and word else "", "muted")))
    if any(row.nano is None for row in found.costs):
        lines += [
            _BLANK,
            *_words(f"{UNKNOWN}: no price is known; the config's [prices] can say it.", width, "muted"),
        ]
    base, mine = next((row for row in found.costs if row.baseline), None), chosen(found)
    if base and mine and base.nano and mine.nano is not None and not mine.baseline:
        share = percent((base.nano - mine.nano) / base.nano)
        lines += [_BLANK, *_words(f"Against {base.name} it saves {share} %.", width)]
    return lines


def _decision(found: Check, width: int) -> list[Line]:
    route = found.route
    model = route.model or found.model
    if found.decision != "call":
        cache = "exact" if found.decision == "exact" else "semantic"
        lines = _words(f"The {cache} cache answers: no model is asked, and nothing is paid.", width, "accent")
        lines += _words(f"ctrl+s asks {model} all the same.", width, "muted")
    else:
        lines = _words(f"No cache has an answer: {model} is asked.", width, "strong")
        lines += _words(f"It costs {ESTIMATE} {format_usd(found.cost_nano)}.", width)
    if route.missing_key:
        words = f"To ask it, set {route.missing_key} in the environment and start the console again."
        lines += [
            _BLANK,
            *_words(words if " " not in route.missing_key else route.missing_key, width, "warn"),
        ]
    if found.problem:
        lines += [_BLANK, *_words(f"No embedding: {found.problem}", width, "warn")]
    return lines
