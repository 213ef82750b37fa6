"""The embedder that the settings ask for."""

from __future__ import annotations

from costconsole.embedding.embedder import DEFAULT_MODEL, Embedder


def make_embedder(
    model: str = DEFAULT_MODEL,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    api_key_env: str = "",
    remember: int = 0,
) -> Embedder:
    """An embedder that isn't started yet.

    With `base_url` an HTTP one (OpenAI-compatible `/embeddings`; its key in `api_key`, or in the
    environment variable named `api_key_env`), else the local model: a name or a folder. `remember`
    keeps the vectors of that many recent texts of the local model.
    """
    if base_url:
        from costconsole.embedding.http import HttpEmbedder

        return HttpEmbedder(base_url, model, api_key=api_key, api_key_env=api_key_env)
    from costconsole.embedding.local import LocalEmbedder

    return LocalEmbedder(model, remember=remember)
