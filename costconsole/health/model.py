"""Does the configured model work, and did it write what the caches hold?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from costconsole.cache.layouts import layout_of
from costconsole.cache.search import EntrySearch
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Problem
from costconsole.health.finding import Finding, Status
from costconsole.health.sample import CacheSample
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedding

_SAMPLES = 8


class Model(Protocol):
    """As much of an embedder as is asked here."""

    @property
    def name(self) -> str: ...

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]: ...


async def model_works(model: Model) -> tuple[Finding, int | None]:
    """Whether it embeds, and into how many dimensions."""
    try:
        made = await model.aembed(["Does the model answer?"])
    except Problem as problem:
        return Finding("model", "fail", f"{model.name} can't embed", str(problem)), None
    return Finding("model", "ok", f"{model.name} embeds, {made[0].dims} dimensions"), made[0].dims


async def fingerprint(
    client: Any, keys: Keys, cache: CacheInfo, model: Model, dims: int | None, sample: CacheSample | None
) -> Finding:
    """A few stored prompts are embedded again: are their vectors those of the configured model?

    Another library's cache may well have another model: then only our own searches in it mean nothing.
    """
    from costconsole.embedding.fingerprint import acheck_fingerprint

    check = "fingerprint"
    other: Status = "fail" if cache.library == "costconsole" else "warn"
    if dims != cache.dims:
        return Finding(
            check,
            other,
            f"{cache.name}: it holds vectors of {cache.dims} dimensions, {model.name} makes {dims}: it can't "
            "be searched by meaning with this model",
            "set model under [embedding] in the config to the one that writes this cache",
            cache=cache.name,
        )
    layout = layout_of(cache)
    pairs = [
        (one.key, one.entry.embedded or layout.wrap(cache, one.entry.prompt), one.vector)
        for one in (sample.entries if sample is not None else ())
        if one.vector and one.entry.prompt
    ]
    if not pairs:
        for entry in await EntrySearch(client, (cache,), keys).newest(cache, _SAMPLES):
            read = layout.read_vector(cache, entry.key.encode("utf-8", "surrogateescape"))
            vector = layout.parse_vector(cache, await client.execute_command(*read)) if read else None
            if vector and entry.prompt:
                pairs.append((entry.key, entry.embedded or layout.wrap(cache, entry.prompt), vector))
    pairs = pairs[:: max(1, len(pairs) // _SAMPLES)][:_SAMPLES]
    try:
        result = await acheck_fingerprint(model, [(text, vector) for _, text, vector in pairs])  # type: ignore[arg-type]
    except Problem as problem:
        return Finding(check, "warn", f"{cache.name} could not be compared", str(problem), cache=cache.name)
    mixed: Status = "fail" if result.agreeing else other
    statuses: dict[str, Status] = {"same": "ok", "different": mixed, "unknown": "warn"}
    if not pairs:
        what = f"{cache.name}: it keeps no prompts together with their vectors, so nothing can be compared"
        return Finding(check, "ok", what, cache=cache.name)
    status = statuses[result.verdict]
    return Finding(
        check,
        status,
        f"{cache.name}: {result.sentence}",
        "" if status == "ok" else "see which models write it: `costconsole show KEY` on the evidence",
        result.checked - result.agreeing if status != "ok" else None,
        tuple(key for key, _, _ in pairs) if status != "ok" else (),
        cache=cache.name,
    )
