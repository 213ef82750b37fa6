"""Runs a model by sentence-transformers itself: the reference, and the way for what can't be exported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from costconsole.domain.errors import Problem
from costconsole.embedding.encoder import MAX_CHARACTERS, Measured, extrapolated

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def load_reference(folder: Path, **model_options: Any) -> Any:
    """The SentenceTransformer of a folder, on the CPU, one thread, no code of the folder's own run."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs=model_options or None
        )
    except Exception as error:
        raise Problem(
            f"sentence-transformers can't load the embedding model in {folder} "
            f"({type(error).__name__}): check the folder, or choose another model."
        ) from error
    return model.eval()


class TorchEncoder:
    """An `Encoder` over any sentence-transformers model."""

    backend = "sentence-transformers"

    def __init__(self, folder: Path) -> None:
        self._model = load_reference(folder)
        self.max_seq_length: int = self._model.max_seq_length or 0
        probe = self._model.encode(["dimensions"], normalize_embeddings=True, show_progress_bar=False)
        self.dims: int = int(probe.shape[1])

    def measure(self, texts: Sequence[str]) -> list[Measured]:
        measured = []
        for text in texts:
            read = text[:MAX_CHARACTERS]
            ids = self._model.tokenizer(read, truncation=False, verbose=False)["input_ids"]
            length = min(len(ids), self.max_seq_length) if self.max_seq_length else len(ids)
            measured.append(Measured(length, extrapolated(len(ids), text), read))
        return measured

    def vectors(self, batch: Sequence[Measured]) -> list[bytes]:
        rows = self._model.encode(
            [item.content for item in batch],
            batch_size=max(1, len(batch)),
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return [row.astype("<f4", copy=False).tobytes() for row in rows]
