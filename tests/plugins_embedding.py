"""The session's embedder: the real local model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from costconsole.embedding.local import LocalEmbedder


@pytest.fixture(scope="session")
def embedder() -> Iterator[LocalEmbedder]:
    """all-MiniLM-L6-v2 in its worker process, started; exported first where there is no export yet."""
    local = LocalEmbedder()
    local.start()
    yield local
    local.close()
