"""khazad: a vector set for each host and model, and the provider's bodies beside them, without prompts.

A body may expire, its vector stays until it is the nearest to a prompt. The score of a vector set is
(1 + cosine) / 2, which khazad calls similarity: its threshold of 0.90 is a cosine of 0.80.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.layouts.base import KeyShape, SharedPiece, Surroundings, Threshold
from costconsole.cache.layouts.bodies import read_body
from costconsole.cache.layouts.plain import PlainLayout, plain_number
from costconsole.cache.layouts.quantized import quantized, unquantized
from costconsole.cache.layouts.values import from_json, mapping, number, packed, shown, whole
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import pairs, text

_VECTORS = KeyShape("vectorset", "*:vset:*", re.compile(rb"(.+?:vset:.+)\Z", re.DOTALL))
_BODIES = KeyShape("string", "*:resp:*", re.compile(rb"(.+?:resp:)[0-9a-f]{32}\Z", re.DOTALL))
_ELEMENT = re.compile(rb"[0-9a-f]{32}\Z")
_QUANTIZATION = {"int8": "Q8", "f32": "NOQUANT", "bin": "BIN"}


class KhazadLayout(PlainLayout):
    """One cache a namespace. An entry is a body; which vector set has its vector isn't told by its key."""

    library = "khazad"
    name = "khazad"
    shapes: tuple[KeyShape, ...] = (_VECTORS, _BODIES)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        keys = [family.sample for family in seen.families if family.shape is _VECTORS]
        return [probe for key in keys for probe in (("VINFO", key), ("VRANDMEMBER", key))]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        sets: dict[str, list[dict[str, Any]]] = {}
        for family in seen.families:
            if family.shape is not _VECTORS:
                continue
            element = seen.replies.get(("VRANDMEMBER", family.sample))
            about = pairs(seen.replies.get(("VINFO", family.sample)))
            if isinstance(element, bytes) and _ELEMENT.match(element):
                known = {
                    "key": family.sample,
                    "dims": whole(about.get("vector-dim")) or 0,
                    "size": whole(about.get("size")) or 0,
                    "quantization": _QUANTIZATION.get(text(about.get("quant-type")), "Q8"),
                }
                sets.setdefault(family.sample.partition(":vset:")[0], []).append(known)
        counts = {
            family.prefix: family.count if family.complete else None
            for family in seen.families
            if family.shape is _BODIES
        }
        return tuple(
            self._cache(namespace, sorted(sets[namespace], key=lambda one: str(one["key"])), counts, seen)
            for namespace in sorted(sets)
        )

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        return key.startswith(prefix) and _ELEMENT.match(key, len(prefix)) is not None

    def parts(self, cache: CacheInfo) -> Sequence[CacheInfo]:
        return [
            replace(
                cache,
                dims=one["dims"] or None,
                details=(("set", one["key"]), ("quantization", one["quantization"])),
            )
            for one in from_json(cache.detail("sets")) or ()
        ] or [cache]

    def knn(self, cache: CacheInfo, vector: bytes, k: int, scope: str = "") -> Command | None:
        key = cache.detail("set")
        if scope or not key:
            return None
        return ("VSIM", key, "FP32", vector, "WITHSCORES", "COUNT", k, "EF", max(200, k))

    def parse_knn(self, cache: CacheInfo, reply: Any) -> list[tuple[bytes, float]]:
        found = []
        flat = list(reply.items()) if isinstance(reply, Mapping) else _paired(reply)
        for element, stored in flat:
            score = number(stored)
            name = element if isinstance(element, bytes) else str(element).encode()
            if score is not None:
                found.append((cache.prefix.encode() + name, max(-1.0, min(1.0, 2.0 * score - 1.0))))
        return sorted(found, key=lambda pair: -pair[1])

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        if reply is None:
            return None
        body = read_body(reply)
        return CacheEntry(
            key=text(key),
            cache=cache.name,
            library=self.library,
            response=text(reply) if body.text is None else body.text,
            model=body.model,
            created_ms=body.created_ms,
            usage=body.usage,
        )

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        entry = self.parse(cache, key, reply)
        if entry is None:
            return None
        stored = mapping(from_json(reply))
        fields = tuple((name, shown(value)) for name, value in stored.items())
        return replace(entry, fields=fields or (("value", text(reply)),))

    def read_vector(self, cache: CacheInfo, key: bytes) -> Command | None:
        found = cache.detail("set") or self.parts(cache)[0].detail("set")
        return ("VEMB", found, _element(cache, key)) if found else None

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        return packed(reply)

    def wrap(self, cache: CacheInfo, prompt: str) -> str:
        return f"user: {prompt}"

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        return (cache.prefix.removesuffix("resp:") + "vset:",)

    def shared_reads(self, cache: CacheInfo, entry: CacheEntry) -> Sequence[Command]:
        element = _element(cache, entry.key.encode())
        return [("VEMB", part.detail("set").encode(), element, "RAW") for part in self.parts(cache)]

    def shared_pieces(
        self, cache: CacheInfo, entry: CacheEntry, replies: Sequence[Any]
    ) -> Sequence[SharedPiece]:
        """The vector, in whichever set has it."""
        element = _element(cache, entry.key.encode())
        pieces = []
        for part, check, reply in zip(
            self.parts(cache), self.shared_reads(cache, entry), replies, strict=False
        ):
            stored = quantized(reply, part.dims or 0)
            if stored is None:
                continue
            key = part.detail("set").encode()
            restore = ("VADD", key, "FP32", unquantized(stored), element, stored.words)
            pieces.append(SharedPiece(key, check, reply, ("VREM", key, element), restore))
        return pieces

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        sentence = (
            "khazad keeps it in its process, as (1 + cosine) / 2: its threshold=0.90 serves from a "
            "similarity of 0.80; change it where khazad is started"
        )
        return (Threshold(default=0.8, sentence=sentence),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        namespace = json.dumps(cache.prefix.removesuffix(":resp:"))
        return f"khazad.init(namespace={namespace}, threshold={plain_number((1 + similarity) / 2)})"

    def _cache(
        self,
        namespace: str,
        sets: Sequence[Mapping[str, Any]],
        counts: Mapping[str, int | None],
        seen: Surroundings,
    ) -> CacheInfo:
        prefix = f"{namespace}:resp:"
        bodies = counts.get(prefix)
        if prefix not in counts and all(family.complete for family in seen.families):
            bodies = 0
        vectors = sum(one["size"] for one in sets)
        dims = {one["dims"] for one in sets}
        problem = ""
        if bodies is not None and vectors > bodies:
            problem = (
                f"{vectors - bodies:,} of its {vectors:,} vectors have outlived their answers: khazad drops "
                f"one only when a prompt comes nearest to it"
            )
        return CacheInfo(
            name=namespace,
            library=self.library,
            layout=self.name,
            kind="semantic",
            prefix=prefix,
            entries=bodies,
            dims=dims.pop() if len(dims) == 1 else None,
            metric="COSINE",
            algorithm="HNSW",
            problem=problem,
            details=(("sets", json.dumps(sets)), ("embedding_model", "")),
        )


def _element(cache: CacheInfo, key: bytes) -> bytes:
    return key.removeprefix(cache.prefix.encode())


def _paired(reply: Any) -> list[tuple[Any, Any]]:
    """Pairs of a flat list, or of a list of pairs."""
    if not isinstance(reply, Sequence) or isinstance(reply, str | bytes):
        return []
    if reply and isinstance(reply[0], Sequence) and not isinstance(reply[0], str | bytes):
        return [(pair[0], pair[1]) for pair in reply]
    return list(zip(reply[::2], reply[1::2], strict=False))
