"""How long the Lab takes from the last key to its answer, and whether a long paste holds it up.

    python -m benchmarks.lab [--entries 100000] [--rounds 60] [--json]

An embedded Redis is filled with a semantic cache of that many entries (random vectors in 200 clusters, four
scopes). A console without a terminal is typed into, a key at a time; measured is the time from the key to the
answer being drawn, the pause after typing included, and beside it what one embedding of the same words takes.
Then a prompt of 200,000 characters is pasted and typed on; the longest turn of the event loop is what keys
would have waited for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import redis
from textual.events import Paste

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from costconsole.cache.semantic import SemanticCache, entry_id  # noqa: E402
from costconsole.console.pages import PAGES  # noqa: E402
from costconsole.console.redis_source import RedisSource  # noqa: E402
from costconsole.console.screens.lab import LabPage  # noqa: E402
from costconsole.console.screens.lab_editor import PromptArea  # noqa: E402
from costconsole.demo.server import EmbeddedRedis  # noqa: E402
from costconsole.redis_store.keys import Keys  # noqa: E402
from costconsole.redis_store.target import parse_target  # noqa: E402
from costconsole.settings import Settings  # noqa: E402
from tests.console.harness import make_app  # noqa: E402

DIMS = 384
KEYS = Keys()
TYPED = "How do I return   an order that arrived broken, and when is it refunded?"


def fill(url: str, entries: int) -> float:
    """Seconds until all entries are in the index."""
    client: Any = redis.Redis.from_url(url, protocol=2)
    SemanticCache(KEYS, DIMS).ensure_index(client)
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(200, DIMS))
    began = time.perf_counter()
    pipe = client.pipeline(transaction=False)
    for n in range(entries):
        vector = centres[n % 200] + 0.6 * rng.normal(size=DIMS)
        vector = (vector / np.linalg.norm(vector)).astype("<f4")
        prompt, scope = f"Where is order {n}, and when does it arrive?", f"{n % 4:032x}"
        pipe.hset(
            KEYS.semantic(entry_id(prompt, scope)),
            mapping={
                "entry_id": entry_id(prompt, scope),
                "prompt": prompt,
                "response": "Within **30 days**: keep the receipt, and send it back to us. " * 4,
                "inserted_at": f"{1_790_000_000 + n}",
                "updated_at": f"{1_790_000_000 + n}",
                "model": "gpt-4o-mini",
                "scope": scope,
                "route": "",
                "tag": "",
                "prompt_vector": vector.tobytes(),
            },
        )
        if n % 500 == 499:
            pipe.execute()
    pipe.execute()
    while float(_info(client)["percent_indexed"]) < 1:
        time.sleep(0.5)
    return time.perf_counter() - began


def _info(client: Any) -> dict[str, Any]:
    reply = client.execute_command("FT.INFO", KEYS.semantic_index)
    return {key.decode(): value for key, value in zip(reply[::2], reply[1::2], strict=False)}


class Loop:
    """The longest turn of the event loop since `reset`, in milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.create_task(self._watch())

    def reset(self) -> None:
        self.longest = 0.0

    def stop(self) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest, last = max(self.longest, (now - last) * 1000.0 - 1.0), now


async def measure(url: str, rounds: int) -> dict[str, Any]:
    source = RedisSource(Settings(redis_url=url), parse_target(url))
    app: Any = make_app(source, pages=PAGES, refresh_s=1.0, redis_url=url)  # type: ignore[arg-type]
    async with app.run_test(size=(120, 36)) as pilot:
        while app.link.state != "live":
            await pilot.pause(0.05)
        await source.caches()
        await app.open_lab("What does shipping cost?")
        page: LabPage = app.page
        while not page.fresh:
            await pilot.pause(0.05)
        await page.settle()
        editor = page.query_one(PromptArea)
        editor.focus()
        found = await _typed(page, editor, source, rounds)
        found |= await _pasted(page, editor)
        await app.stop_reading()
    return found


async def _typed(page: LabPage, editor: PromptArea, source: RedisSource, rounds: int) -> dict[str, Any]:
    answers, embeddings, loop = [], [], Loop()
    editor.load("")
    cpu_s = time.process_time()
    for at in range(rounds):
        began = time.perf_counter()
        editor.insert(TYPED[at % len(TYPED)])
        while not _is_answered(page):  # noqa: ASYNC110
            await asyncio.sleep(0.0005)
        answers.append((time.perf_counter() - began) * 1000.0)
        began = time.perf_counter()
        await source.embedder.aembed([f"{editor.text} {at}"])
        embeddings.append((time.perf_counter() - began) * 1000.0)
    loop.stop()
    return {
        "answer_ms": _figures(answers),
        "embedding_ms": _figures(embeddings),
        "beside_the_embedding_ms": round(statistics.median(answers) - statistics.median(embeddings), 1),
        "processor_ms_a_key": round((time.process_time() - cpu_s) * 1000.0 / rounds, 1),
        "longest_turn_typing_ms": round(loop.longest, 1),
    }


async def _pasted(page: LabPage, editor: PromptArea) -> dict[str, Any]:
    text = "Summarize these notes.\n" + "Lorem ipsum dolor sit amet,   consectetur adipiscing elit.\n" * 3_400
    loop = Loop()
    editor.load("")
    await page.settle()
    loop.reset()
    began = time.perf_counter()
    editor.post_message(Paste(text))
    while page.question.prompt != text:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    shown = (time.perf_counter() - began) * 1000.0
    for letter in "thanks":
        editor.insert(letter)
        await asyncio.sleep(0.05)
    while not _is_answered(page):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    answered = (time.perf_counter() - began) * 1000.0
    loop.stop()
    return {
        "pasted_characters": len(text),
        "paste_shown_ms": round(shown, 1),
        "paste_answered_ms": round(answered, 1),
        "longest_turn_pasting_ms": round(loop.longest, 1),
    }


def _is_answered(page: LabPage) -> bool:
    found = page._found
    return page.fresh and found is not None and found[1].prompt == page.question.prompt


def _figures(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(len(ordered) * 0.95)], 1),
        "max": round(ordered[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with EmbeddedRedis() as server:
        filled_s = fill(server.url, arguments.entries)
        found = asyncio.run(measure(server.url, arguments.rounds))
    found = {"entries": arguments.entries, "filled_s": round(filled_s, 1), "load": os.getloadavg()[0]} | found
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<26} {value}")


if __name__ == "__main__":
    main()
