"""The index of the semantic cache: RedisVL's SemanticCache layout, and fields of our own beside it."""

from __future__ import annotations

from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.errors import Problem
from costconsole.redis_store.keys import Keys

VECTOR = "prompt_vector"
HNSW_M = 16
EF_CONSTRUCTION = 200
EF_RUNTIME = 64
FIELD_TYPES = {
    "prompt": "TEXT",
    "response": "TEXT",
    "inserted_at": "NUMERIC",
    "updated_at": "NUMERIC",
    VECTOR: "VECTOR",
    "model": "TAG",
    "scope": "TAG",
    "route": "TAG",
    "tag": "TAG",
}
_NO_SEPARATOR = "\x1f"
"""Names of models and tags may hold commas: a character that they can't hold keeps them whole."""


class SearchUnavailable(Problem):
    """This server, or this user, has no search: the semantic cache is off."""


def create_command(keys: Keys, dims: int) -> Command:
    """FT.CREATE of the semantic index, from RedisVL's schema."""
    from redisvl.schema import IndexSchema

    schema = IndexSchema.from_dict(
        {
            "index": {"name": keys.semantic_index, "prefix": keys.semantic_prefix, "storage_type": "hash"},
            "fields": [_schema_field(name, kind, dims) for name, kind in FIELD_TYPES.items()],
        }
    )
    words = [word for field in schema.redis_fields for word in field.redis_args()]
    covers = ("ON", "HASH", "PREFIX", 1, keys.semantic_prefix)
    return ("FT.CREATE", keys.semantic_index, *covers, "SCHEMA", *map(_plain, words))


def check_index(info: IndexInfo, keys: Keys, dims: int) -> None:
    """Raise a Problem that says why this index can't be the semantic cache of this namespace."""
    wrong = [name for name, kind in FIELD_TYPES.items() if not info.has(name, kind)]
    if wrong or info.storage != "HASH" or keys.semantic_prefix not in info.prefixes:
        what = f"its field '{wrong[0]}' is missing or of another kind" if wrong else "it covers other keys"
        raise Problem(
            f"Index {info.name} was not made by this version of costconsole: {what}. "
            f"Drop it with FT.DROPINDEX {info.name} (the entries stay), or use another --namespace."
        )
    vector = info.fields[VECTOR]
    if vector.dims != dims or vector.datatype != "FLOAT32" or vector.metric != "COSINE":
        raise Problem(
            f"Index {info.name} holds {vector.datatype} vectors of {vector.dims} dimensions "
            f"({vector.metric}), but the embedding model gives FLOAT32 vectors of {dims}: "
            "use the model that filled this cache, or another --namespace."
        )


def explain_create(error: Exception, keys: Keys) -> Problem:
    """A refused FT.CREATE or FT.INFO, in one sentence."""
    text = str(error)
    if "unknown command" in text.lower():
        return SearchUnavailable(
            "This Redis has no search module, so the semantic cache is off: "
            "use Redis 8 or Redis Stack for it; the exact cache works."
        )
    if text.startswith("NOPERM") or "no permissions" in text.lower():
        return SearchUnavailable(
            "This Redis user may not run FT.CREATE and FT.INFO, so the semantic cache is off: "
            "grant the user +@search, or connect as another; the exact cache works."
        )
    return Problem(f"Index {keys.semantic_index} can't be made: {text}.")


def _schema_field(name: str, kind: str, dims: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if name == "inserted_at":
        attributes = {"sortable": True}
    elif kind == "TAG":
        attributes = {"separator": _NO_SEPARATOR, "case_sensitive": True}
    elif kind == "VECTOR":
        attributes = {
            "algorithm": "hnsw",
            "dims": dims,
            "distance_metric": "cosine",
            "datatype": "float32",
            "m": HNSW_M,
            "ef_construction": EF_CONSTRUCTION,
            "ef_runtime": EF_RUNTIME,
        }
    return {"name": name, "type": kind.lower(), "attrs": attributes}


def _plain(word: Any) -> Any:
    """redis-py's enums as the words they stand for."""
    return getattr(word, "value", word)
