"""What libraries wrote, kept as plain values, and put back into a Redis for a test.

`python -m tests.cache.recording langchain INTERPRETER` runs `writers/langchain_writes.py` with an interpreter
that has the library, against a server of its own, and writes `recorded/langchain.json`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VECTORS = ("prompt_vector", "embedding")


def run_writer(name: str, interpreter: str, url: str) -> None:
    """Let the real library fill the Redis at `url`."""
    script = HERE / "writers" / f"{name}_writes.py"
    subprocess.run([interpreter, str(script), url], check=True, timeout=110)


def load(name: str) -> dict[str, Any]:
    """A recording: its `indexes` (words of FT.CREATE) and its `entries`."""
    found: dict[str, Any] = json.loads((HERE / "recorded" / f"{name}.json").read_text("utf-8"))
    return found


def dump(client: Any) -> dict[str, Any]:
    """Every index and every key of a Redis. Vectors are left out: they are made anew from the prompt."""
    names = sorted(name.decode() for name in client.execute_command("FT._LIST"))
    entries = [_dumped(client, key) for key in sorted(client.scan_iter(count=1_000))]
    return {"indexes": [_created(client, name) for name in names], "entries": [e for e in entries if e]}


def replay(client: Any, recorded: dict[str, Any], embed: Callable[[str], bytes]) -> None:
    """Put a recording back. `embed` gives the vector of the text that the writer embedded."""
    for words in recorded["indexes"]:
        client.execute_command("FT.CREATE", *words)
    for entry in recorded["entries"]:
        key, value = entry["key"], entry["value"]
        if entry["type"] == "hash":
            fields = {
                name: embed(value["prompt"]) if part is None else _plain(part) for name, part in value.items()
            }
            client.hset(key, mapping=fields)
        elif entry["type"] == "string":
            client.set(key, _plain(value))
        elif entry["type"] == "vectorset":
            for element, numbers in value.items():
                client.execute_command("VADD", key, "VALUES", len(numbers), *numbers, element)
        elif entry["type"] == "zset":
            client.zadd(key, value)
        else:
            client.execute_command("JSON.SET", key, "$", json.dumps(value))
        if entry["ttl_s"] > 0:
            client.expire(key, entry["ttl_s"])


def _dumped(client: Any, key: bytes) -> dict[str, Any] | None:
    kind = client.type(key).decode()
    value: Any
    if kind == "hash":
        value = {
            name.decode(): None if name.decode() in VECTORS else _kept(part)
            for name, part in client.hgetall(key).items()
        }
    elif kind == "string":
        value = _kept(client.get(key))
    elif kind == "ReJSON-RL":
        value = json.loads(client.execute_command("JSON.GET", key))
    elif kind == "vectorset":
        elements = sorted(client.execute_command("VRANDMEMBER", key, 1_000))
        value = {
            element.decode(): [float(number) for number in client.execute_command("VEMB", key, element)]
            for element in elements
        }
    elif kind == "zset":
        value = {member.decode(): score for member, score in client.zrange(key, 0, -1, withscores=True)}
    else:
        return None
    return {"key": key.decode(), "type": kind, "ttl_s": client.ttl(key), "value": value}


def _kept(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _plain(value: Any) -> bytes:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


def _created(client: Any, name: str) -> list[Any]:
    """The words of FT.CREATE that make such an index."""
    from costconsole.cache.indexinfo import parse_index_info

    info = parse_index_info(name, client.execute_command("FT.INFO", name))
    words: list[Any] = [name, "ON", info.storage, "PREFIX", len(info.prefixes), *info.prefixes, "SCHEMA"]
    for field in info.fields.values():
        words += [field.name, field.type]
        if field.type == "VECTOR":
            words += [field.algorithm, 6, "TYPE", field.datatype, "DIM", field.dims]
            words += ["DISTANCE_METRIC", field.metric]
    return words


if __name__ == "__main__":
    import redis

    from costconsole.demo.server import EmbeddedRedis

    with EmbeddedRedis(port=0) as server:
        run_writer(sys.argv[1], sys.argv[2], server.url)
        with redis.Redis.from_url(server.url, protocol=2) as recorder:
            found = dump(recorder)
    text = json.dumps(found, ensure_ascii=True, indent=1)
    (HERE / "recorded" / f"{sys.argv[1]}.json").write_text(text + "\n", "utf-8")
