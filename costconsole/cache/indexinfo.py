"""What FT.INFO says of a search index. Asked once per index, never polled: on HNSW it blocks the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from costconsole.redis_store.replies import pairs, text

_BYTES = {"FLOAT64": 8, "FLOAT32": 4, "FLOAT16": 2, "BFLOAT16": 2, "INT8": 1, "UINT8": 1}
_MEMORY = (
    "inverted_sz_mb",
    "vector_index_sz_mb",
    "offset_vectors_sz_mb",
    "doc_table_size_mb",
    "sortable_values_size_mb",
    "key_table_size_mb",
    "tag_overhead_sz_mb",
    "text_overhead_sz_mb",
)


@dataclass(frozen=True, slots=True)
class IndexField:
    """One field of an index. The last five belong to VECTOR fields."""

    name: str
    type: str
    sortable: bool = False
    algorithm: str = ""
    metric: str = ""
    datatype: str = ""
    dims: int = 0

    @property
    def vector_bytes(self) -> int:
        """Length of one stored vector in bytes."""
        return self.dims * _BYTES.get(self.datatype, 0)


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index: its name, which keys it covers, its fields by name, and its size when it was asked."""

    name: str
    storage: str
    """`HASH` or `JSON`."""
    prefixes: tuple[str, ...]
    fields: Mapping[str, IndexField] = field(default_factory=dict)
    docs: int | None = None
    memory_bytes: int | None = None
    failures: int = 0
    failure: str = ""
    failed_key: str = ""
    """The key that failed last, where the server names it."""
    uses: int | None = None
    """Queries of any kind so far, and FT.INFO itself, since the index was made or the server started."""
    max_doc_id: int | None = None
    """Grows by one with each document that is indexed, also with one that is indexed anew."""
    own_uses: int = 0
    """How many of `uses` since this process began were its own, just after it asked."""

    def has(self, name: str, kind: str) -> bool:
        """Whether the index has a field of that name and type (TEXT, TAG, NUMERIC, VECTOR)."""
        found = self.fields.get(name)
        return found is not None and found.type == kind


def parse_index_info(name: str, reply: Any, *, own_uses: int = 0) -> IndexInfo:
    """FT.INFO's reply of RESP2 (a flat list) or RESP3 (a mapping). What is missing stays at its default."""
    found = pairs(reply)
    definition = pairs(found.get("index_definition"))
    errors = pairs(found.get("Index Errors"))
    fields = (_field(attribute) for attribute in found.get("attributes") or ())
    sizes = [size for part in _MEMORY if (size := _number(found.get(part))) is not None]
    total = _number(found.get("total_index_memory_sz_mb"))
    megabytes = max(sum(sizes), total or 0.0) if sizes or total is not None else None
    docs = _whole(found.get("num_docs"))
    return IndexInfo(
        name=name,
        storage=text(definition.get("key_type")) or "HASH",
        prefixes=tuple(text(prefix) for prefix in definition.get("prefixes") or ()),
        fields={one.name: one for one in fields},
        docs=docs,
        memory_bytes=None if megabytes is None else int(megabytes * 1024 * 1024),
        failures=int(_number(found.get("hash_indexing_failures")) or 0),
        failure=_told(errors.get("last indexing error")),
        failed_key=_told(errors.get("last indexing error key")),
        uses=_whole(found.get("number_of_uses")),
        max_doc_id=_whole(found.get("max_doc_id")),
        own_uses=own_uses,
    )


def _field(attribute: Any) -> IndexField:
    words = attribute if isinstance(attribute, Sequence) else [w for pair in attribute.items() for w in pair]
    flags = {text(word).upper() for word in words if isinstance(word, bytes | str)}
    found = {text(words[at]).lower(): words[at + 1] for at in range(0, len(words) - 1, 2)}
    return IndexField(
        name=text(found.get("attribute")),
        type=text(found.get("type")).upper(),
        sortable="SORTABLE" in flags,
        algorithm=text(found.get("algorithm")).upper(),
        metric=text(found.get("distance_metric")).upper(),
        datatype=text(found.get("data_type")).upper(),
        dims=int(_number(found.get("dim")) or 0),
    )


def _told(value: Any) -> str:
    known = text(value)
    return "" if known == "N/A" else known


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number == number else None
