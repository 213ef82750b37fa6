"""Runs an export by onnxruntime and tokenizers: no torch, started in a third of a second."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from costconsole.embedding.encoder import MAX_CHARACTERS, Measured, extrapolated
from costconsole.embedding.store import MODEL_FILE, TOKENIZER_FILE

# Tokenizing one text needs no thread pool, and the pool's start is what a first query would wait for.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Its builds report their use to their maker, from the import on, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer


class OnnxEncoder:
    """An `Encoder` over an export's folder. Raises whatever onnxruntime raises for a damaged file."""

    backend = "onnxruntime"

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        self.dims: int = meta["dims"]
        self.max_seq_length: int = meta["max_seq_length"]
        self._pad_id: int = meta["pad_id"]
        self._lowercase: bool = meta["lowercase"]
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        # The file may ask for 128 pieces, always padded: a short query would cost four times as much.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self.max_seq_length)
        self._special = self._tokenizer.num_special_tokens_to_add(False)
        self._session = ort.InferenceSession(
            str(folder / MODEL_FILE), _options(), providers=["CPUExecutionProvider"]
        )
        self._inputs = [item.name for item in self._session.get_inputs()]

    def measure(self, texts: Sequence[str]) -> list[Measured]:
        read = [text[:MAX_CHARACTERS] for text in texts]
        if self._lowercase:
            read = [text.lower() for text in read]
        measured = []
        for text, encoding in zip(texts, self._tokenizer.encode_batch(read), strict=True):
            rest = sum(len(part.ids) - self._special for part in encoding.overflowing)
            tokens = extrapolated(len(encoding.ids) + rest, text)
            measured.append(Measured(len(encoding.ids), tokens, encoding))
        return measured

    def vectors(self, batch: Sequence[Measured]) -> list[bytes]:
        shape = (len(batch), max(item.length for item in batch))
        ids = np.full(shape, self._pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        for row, item in enumerate(batch):
            ids[row, : item.length] = item.content.ids
            mask[row, : item.length] = 1
            types[row, : item.length] = item.content.type_ids
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        (rows,) = self._session.run(None, {name: feed[name] for name in self._inputs})
        return [row.tobytes() for row in rows.astype("<f4", copy=False)]


def _options() -> ort.SessionOptions:
    """One thread: a second one makes a query slower wherever the other core has work of its own."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
