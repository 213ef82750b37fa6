"""The session's embedder: the real local model, its export shared with the user's cache folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from platformdirs import user_cache_path

from costconsole.embedding.local import LocalEmbedder

# Read before any fixture moves HOME: the export takes 20 s, and is the same for every session.
os.environ.setdefault("COSTCONSOLE_CACHE_DIR", str(user_cache_path("costconsole")))


@pytest.fixture(scope="session")
def embedder() -> Iterator[LocalEmbedder]:
    """all-MiniLM-L6-v2 in its worker process, started."""
    local = LocalEmbedder()
    local.start()
    yield local
    local.close()
