"""What is said of evictions, of undoing them, and of times to live."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

from costconsole.domain.errors import UsageProblem
from costconsole.domain.format import age, clock_minute
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.cache.outcome import Evicted, Progress, Restored

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d|w)")
_LONGEST_S = 10 * 365 * 86_400
DAY_MS = 86_400_000


def entries_words(count: int, *, at_least: bool = False) -> str:
    """`1 entry`, `212 entries`."""
    words = f"{count:,} {'entry' if count == 1 else 'entries'}"
    return f"at least {words}" if at_least else words


def progress_words(progress: Progress, *, stopping: bool) -> str:
    """How far it is, and how to stop it."""
    of = "" if progress.total is None else f" of {progress.total:,}"
    kept = progress.skipped + progress.failed
    words = f"{progress.phase} {progress.done:,}{of}" + (f" · {kept:,} kept" if kept else "")
    return f"{words} · {'stopping…' if stopping else 'Esc stops'}"


def evicted_words(evicted: Evicted, undo_until: str, key: str) -> str:
    """`evicted 212 (3 changed meanwhile and were kept) · z brings them back until 22:14 tomorrow`."""
    words = f"evicted {evicted.evicted:,}{_kept(evicted.skipped, evicted.skipped_count)}"
    words = _ended(words, evicted.stopped, evicted.reason)
    if evicted.undo_id:
        them = "it" if evicted.evicted == 1 else "them"
        return f"{words} · {key} brings {them} back until {undo_until}"
    return f"{words} · it cannot be undone" if evicted.evicted else words


def restored_words(restored: Restored) -> str:
    """`brought back 212 (1 exists again, and is not overwritten)`, and what else is to be known."""
    words = f"brought back {restored.restored:,}{_kept(restored.skipped, restored.skipped_count)}"
    words = _ended(words, restored.stopped, restored.reason)
    if restored.remaining:
        words += f" · {restored.remaining:,} can be tried again"
    return f"{words} · {visible(restored.note)}" if restored.note else words


def _ended(words: str, stopped: bool, reason: str) -> str:
    if not stopped and not reason:
        return words
    return f"stopped: {words}" + (f" · {visible(reason)}" if reason else "")


def _kept(skipped: Sequence[tuple[str, str]], count: int) -> str:
    if not count:
        return ""
    reasons = Counter(why for _key, why in skipped)
    parts = [_reason(why, number) for why, number in reasons.most_common()]
    unnamed = count - sum(reasons.values())
    parts += [f"{unnamed:,} others were kept"] if unnamed > 0 else []
    return f" ({', '.join(parts)})"


def _reason(why: str, count: int) -> str:
    from costconsole.cache.outcome import WHY

    were = "was" if count == 1 else "were"
    if why == WHY["changed"]:
        return f"{count:,} changed meanwhile and {were} kept"
    if why == WHY["gone"]:
        return f"{count:,} expired or {were} removed meanwhile"
    return f"{count:,} not: {visible(why)}"


def until_words(expires_ms: int, now_ms: int, tz: tzinfo | None) -> str:
    """The time of day at which something ends within two days: `22:14`, `22:14 tomorrow`."""
    when = clock_minute(expires_ms, tz)
    return when if expires_ms - now_ms < DAY_MS / 2 else f"{when} tomorrow"


def parse_ttl(text: str) -> float | None:
    """Seconds of `90s`, `1h`, `7d`, `1d 12h`; None for `never`. Raises UsageProblem."""
    words = re.sub(r"\s+", "", text).lower()
    if words == "never":
        return None
    if not words or _SPAN.sub("", words):
        raise UsageProblem("write a time such as 30m, 1h, 7d or 1d12h, or never")
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in _SPAN.findall(words))
    if not 0 < seconds <= _LONGEST_S:
        raise UsageProblem("a time to live is more than nothing and at most ten years; or write never")
    return seconds


def lives_words(ttl_ms: int | None) -> str:
    """`expires in 7 d`, `never expires`."""
    return "never expires" if ttl_ms is None else f"expires in {age(ttl_ms)}"
