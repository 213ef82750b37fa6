"""Searching caches by meaning, each with the prompt wrapped as its writer wraps it before embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from costconsole.cache.layouts import layout_of
from costconsole.cache.page import EntryPage
from costconsole.domain.entry import CacheInfo
from costconsole.embedding.embedder import Embedder, cosine

Embed = Callable[[Sequence[str]], Awaitable[Sequence[bytes]]]
"""Texts to their vectors (float32, L2-normalized)."""


class _Search(Protocol):
    async def by_vector(
        self, vector: bytes, caches: Sequence[CacheInfo] | None = None, k: int = 20
    ) -> EntryPage: ...


def texts_for(prompt: str, caches: Sequence[CacheInfo]) -> dict[str, list[CacheInfo]]:
    """What the writers of these caches would embed for a prompt, and which caches each text is for."""
    texts: dict[str, list[CacheInfo]] = {}
    for cache in caches:
        texts.setdefault(layout_of(cache).wrap(cache, prompt), []).append(cache)
    return texts


async def by_meaning(
    search: _Search, prompt: str, caches: Sequence[CacheInfo], k: int, embed: Embed, **options: Any
) -> EntryPage:
    """The `k` entries nearest to a prompt over the caches, best first, with the writers' own similarities.

    `options` go to the search by vector.
    """
    texts = texts_for(prompt, caches)
    vectors = await embed(list(texts))
    pages = await asyncio.gather(
        *(
            search.by_vector(vector, same, k, **options)
            for vector, same in zip(vectors, texts.values(), strict=True)
        )
    )
    found = sorted((entry for page in pages for entry in page), key=lambda entry: -(entry.similarity or 0.0))
    return EntryPage(
        tuple(found[:k]),
        partial=any(page.partial for page in pages),
        note="; ".join(page.note for page in pages if page.note),
    )


async def vectors_for(
    prompt: str, caches: Sequence[CacheInfo], embedder: Embedder
) -> tuple[bytes, dict[str, bytes]]:
    """The prompt's own vector, and by name those of caches whose writers embed another text for it."""
    texts = texts_for(prompt, caches)
    others = [text for text in texts if text != prompt]
    bare, *wrapped = [one.vector for one in await embedder.aembed([prompt, *others])]
    return bare, {
        cache.name: vector for text, vector in zip(others, wrapped, strict=True) for cache in texts[text]
    }


async def with_text_similarity(
    page: EntryPage, prompt: str, caches: Sequence[CacheInfo], embed: Embed
) -> EntryPage:
    """The page with `text_similarity` for entries of caches whose writers embed more than the prompt.

    Such a writer's own similarities are higher than those of the texts: both together show by how much.
    """
    wrapping = {cache.name for cache in caches if layout_of(cache).wrap(cache, prompt) != prompt}
    prompts = [entry.prompt for entry in page if entry.cache in wrapping and entry.prompt is not None]
    if not prompts:
        return page
    asked, *vectors = await embed([prompt, *prompts])
    bare = {text: cosine(asked, vector) for text, vector in zip(prompts, vectors, strict=True)}
    return replace(
        page,
        entries=tuple(
            replace(entry, text_similarity=bare[entry.prompt])
            if entry.cache in wrapping and entry.prompt in bare
            else entry
            for entry in page
        ),
    )
