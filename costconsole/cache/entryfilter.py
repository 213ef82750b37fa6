"""Filters over cached entries: a value, as a person writes it, and how much of it an index can tell.

    model:gpt-4o scope:3fa9* route:faq tag:web library:redisvl cache:llmcache age:>7d ttl:none

All that are given must hold. A value that ends in * matches what begins so; `none` is the empty one.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from costconsole.cache.textquery import tag_escaped
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import first_words
from costconsole.domain.window import parse_duration

NAMES: Mapping[str, str] = {
    "model": "the model that answered",
    "age": "stored longer ago (>7d) or more lately (<1h)",
    "ttl": "none: never expires; or the time left, <1h or >1d",
    "scope": "the scope it was stored in",
    "library": "the library that wrote it",
    "cache": "the cache it is in",
    "route": "the route it was stored for",
    "tag": "the tag it was stored with",
}
"""What can be filtered by, and what that is."""
_TAGS = ("model", "scope", "route", "tag")
_TOKEN = re.compile(r'(?P<name>[^\s:"]+):(?:"(?P<quoted>[^"]*)"?|(?P<value>\S*))|(?P<bare>\S+)')
_BOUND = re.compile(r"([<>])=?(.+)")
_NONE = "none"
_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))
# Characters at which a TAG field may have been split, or that it trims: such values must be read.
_SPLIT = re.compile(r"[\s,;|\x00-\x1f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """What entries must be like. None: no matter. Ages and times to live are in milliseconds.

    Of an entry whose age is not known, neither bound of the age holds; one that never expires has more time
    left than any bound. False when it filters nothing.
    """

    model: str | None = None
    scope: str | None = None
    route: str | None = None
    tag: str | None = None
    library: str | None = None
    cache: str | None = None
    older_than_ms: int | None = None
    younger_than_ms: int | None = None
    never_expires: bool = False
    ttl_over_ms: int | None = None
    ttl_under_ms: int | None = None

    def __bool__(self) -> bool:
        return self != NOTHING

    @property
    def of_entries(self) -> bool:
        """Whether it asks for more than caches: then entries must be looked at, or an index asked."""
        return bool(replace(self, library=None, cache=None))

    def among(self, caches: Sequence[CacheInfo]) -> tuple[CacheInfo, ...]:
        """The caches whose entries may pass."""
        return tuple(
            cache for cache in caches if _fits(self.library, cache.library) and _fits(self.cache, cache.name)
        )

    def holds(self, entry: CacheEntry, now_ms: float) -> bool:
        """Whether an entry passes at this time."""
        return (
            _fits(self.model, entry.model)
            and _fits(self.scope, entry.scope)
            and _fits(self.route, entry.route)
            and _fits(self.tag, entry.tag)
            and _fits(self.library, entry.library)
            and _fits(self.cache, entry.cache)
            and self._age_holds(entry.created_ms, now_ms)
            and self._ttl_holds(entry.ttl_ms)
        )

    def _age_holds(self, created_ms: int | None, now_ms: float) -> bool:
        if self.older_than_ms is None and self.younger_than_ms is None:
            return True
        if created_ms is None:
            return False
        age = now_ms - created_ms
        return age >= (self.older_than_ms or -math.inf) and (
            self.younger_than_ms is None or age < self.younger_than_ms
        )

    def _ttl_holds(self, ttl_ms: int | None) -> bool:
        left = math.inf if ttl_ms is None else ttl_ms
        return (
            (not self.never_expires or ttl_ms is None)
            and (self.ttl_over_ms is None or left > self.ttl_over_ms)
            and (self.ttl_under_ms is None or left < self.ttl_under_ms)
        )

    def index_query(self, tags: Mapping[str, str]) -> str:
        """What an index with these TAG fields can tell, as a query; "" when that is nothing.

        It finds all that pass, and maybe more: whoever asks looks at the entries once again.
        """
        return " ".join(
            f"@{tags[name]}:{{{tag_escaped(value)}}}"
            for name in _TAGS
            if name in tags and (value := getattr(self, name)) is not None and _in_tags(value)
        )

    def created_between(self, now_ms: float, unit_ms: float) -> tuple[str, str]:
        """The bounds of the age as values of an index that counts in such units; a millisecond to spare."""
        low = high = None
        if self.younger_than_ms is not None:
            low = (now_ms - self.younger_than_ms - 1) / unit_ms
        if self.older_than_ms is not None:
            high = (now_ms - self.older_than_ms + 1) / unit_ms
        return "-inf" if low is None else repr(low), "+inf" if high is None else repr(high)

    def is_read_for(self, tags: Mapping[str, str], *, age: bool) -> bool:
        """Whether entries must be read to tell, beyond what an index with these fields (and `age`) knows."""
        mine = [name for name in _TAGS if (value := getattr(self, name)) is not None and (
            name not in tags or not _in_tags(value)
        )]  # fmt: skip
        ages = self.older_than_ms is not None or self.younger_than_ms is not None
        ttls = self.never_expires or self.ttl_over_ms is not None or self.ttl_under_ms is not None
        return bool(mine) or ttls or (ages and not age)

    def tokens(self) -> tuple[str, ...]:
        """As a person writes it, one token a condition; `parse_filter` reads them."""
        found = [
            f"{name}:{_quoted(value)}"
            for name in ("model", "scope", "route", "tag", "library", "cache")
            if (value := getattr(self, name)) is not None
        ]
        bounds = (
            ("age:>", self.older_than_ms), ("age:<", self.younger_than_ms),
            ("ttl:>", self.ttl_over_ms), ("ttl:<", self.ttl_under_ms),
        )  # fmt: skip
        found += [f"{sign}{span(value)}" for sign, value in bounds if value is not None]
        return (*found, "ttl:none") if self.never_expires else tuple(found)

    def sentence(self) -> str:
        """The filter in words, without what a user may have written (a scope, a tag, a route)."""
        words = [f"model {self.model or '(none)'}"] if self.model is not None else []
        words += [f"one {name}" for name in ("scope", "route", "tag") if getattr(self, name) is not None]
        words += [f"{n} {v}" for n in ("library", "cache") if (v := getattr(self, n)) is not None]
        if self.older_than_ms is not None:
            words.append(f"older than {span(self.older_than_ms)}")
        if self.younger_than_ms is not None:
            words.append(f"younger than {span(self.younger_than_ms)}")
        if self.ttl_over_ms is not None:
            words.append(f"more than {span(self.ttl_over_ms)} left")
        if self.ttl_under_ms is not None:
            words.append(f"less than {span(self.ttl_under_ms)} left")
        if self.never_expires:
            words.append("never expires")
        return "; ".join(words)


NOTHING = EntryFilter()
"""The filter that everything passes."""


def parse_filter(text: str, caches: Sequence[CacheInfo] = ()) -> EntryFilter:
    """A filter as a person writes it. Raises UsageProblem that names the token which is wrong, and why.

    With `caches`, a library or a cache that isn't among them is wrong.
    """
    found: dict[str, object] = {}
    for match in _TOKEN.finditer(text):
        if match["bare"]:
            raise UsageProblem(_no_filter(match["bare"]))
        name, value = match["name"].lower(), match["quoted"]
        if name not in NAMES:
            raise UsageProblem(_no_filter(match["name"]))
        if value is None:
            value = match["value"]
            if not value:
                raise UsageProblem(f"{name}: has no value: write {_EXAMPLES[name]}")
        for field, meant in _meant(name, value).items():
            if field in found:
                raise UsageProblem(f"{name}: is given twice: all filters must hold, and these can't both")
            found[field] = meant
    where = EntryFilter(**found)  # type: ignore[arg-type]
    if caches:
        _must_be_known("library", where.library, {cache.library for cache in caches})
        _must_be_known("cache", where.cache, {cache.name for cache in caches})
    if where.never_expires and (where.ttl_over_ms is not None or where.ttl_under_ms is not None):
        raise UsageProblem("ttl: what never expires has no time left to compare: write one of the two")
    for name, over, under in (
        ("age", where.older_than_ms, where.younger_than_ms),
        ("ttl", where.ttl_over_ms, where.ttl_under_ms),
    ):
        if over is not None and under is not None and over >= under:
            raise UsageProblem(f"{name}: nothing is above {span(over)} and below {span(under)}")
    return where


_EXAMPLES = {
    "model": "model:gpt-4o, model:gpt-4* or model:none",
    "scope": "scope:3fa9*",
    "route": "route:faq",
    "tag": "tag:web",
    "library": "library:redisvl",
    "cache": "cache:llmcache",
    "age": "age:>7d or age:<1h",
    "ttl": "ttl:none, ttl:<1h or ttl:>1d",
}


def _meant(name: str, value: str) -> dict[str, object]:
    if name == "ttl" and value.lower() in (_NONE, "never"):
        return {"never_expires": True}
    if name not in ("age", "ttl"):
        return {name: "" if value == _NONE else value}
    match = _BOUND.fullmatch(value)
    if match is None:
        raise UsageProblem(f"{name}:{first_words(value, 40)} is no bound: write {_EXAMPLES[name]}")
    sign, time = match.groups()
    try:
        milliseconds = parse_duration(time) * 1000
    except UsageProblem as problem:
        raise UsageProblem(f"{name}: {problem}") from None
    if name == "age":
        return {"older_than_ms" if sign == ">" else "younger_than_ms": milliseconds}
    return {"ttl_over_ms" if sign == ">" else "ttl_under_ms": milliseconds}


def _no_filter(word: str) -> str:
    near = difflib.get_close_matches(word.partition(":")[0].lower(), NAMES, 1)
    hint = f"did you mean {near[0]}:?" if near else f"write {', '.join(f'{name}:' for name in NAMES)}"
    return f"“{first_words(word, 40)}” is no filter: {hint}"


def _must_be_known(name: str, value: str | None, known: set[str]) -> None:
    if value is None or any(_fits(value, one) for one in known):
        return
    near = difflib.get_close_matches(value, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    raise UsageProblem(f"no {name} here is called {first_words(value, 40)}: {hint}")


def _fits(wanted: str | None, value: str) -> bool:
    if wanted is None or wanted == value:
        return True
    return len(wanted) > 1 and wanted.endswith("*") and value.startswith(wanted[:-1])


def _in_tags(value: str) -> bool:
    """Whether a TAG field surely finds this value: not the empty one, nor one that it may have split.

    Nor what only begins so: an index follows 200 values and says nothing of the others.
    """
    return bool(value) and not value.endswith("*") and value.isprintable() and not _SPLIT.search(value)


def _quoted(value: str) -> str:
    if not value:
        return _NONE
    return f'"{value}"' if re.search(r"\s", value) else value


def span(ms: int) -> str:
    """A length of time as `parse_duration` reads it: `7d`, `1h30m`."""
    words, left = "", ms
    for unit, size in _UNITS_MS:
        count, left = divmod(left, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"
