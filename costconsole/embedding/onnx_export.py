"""Exports a sentence-transformers model to ONNX: transformer, pooling and L2 normalization in one graph.

Sentence-transformers stays the reference: an export whose vectors differ from its by more than
TOLERANCE in any element is not used, and its meta.json says so.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from costconsole.embedding.onnx_encoder import OnnxEncoder
from costconsole.embedding.store import (
    FORMAT,
    MODEL_FILE,
    TOKENIZER_FILE,
    UNFINISHED,
    Export,
    file_record,
    installed_versions,
    models_folder,
    source_stats,
    write_meta,
)
from costconsole.embedding.torch_encoder import load_reference

TOLERANCE = 1e-5

_OPSET = 17
_POOLINGS = {"mean", "cls"}

# Lengths from nothing to beyond the model's window, several scripts, and what tokenizers stumble on.
COMPARED = [
    "",
    " ",
    "a",
    "refund",
    "How do I reset my password?",
    "  How do I reset\tmy   password?\n\n",
    "HOW DO I RESET MY PASSWORD?!",
    "Wie kann ich mein Passwort zurücksetzen?",
    "¿Cómo puedo restablecer mi contraseña?",
    "如何重置我的密码？",
    "パスワードを再設定するにはどうすればよいですか。",
    "Как сбросить пароль?",
    "كيف يمكنني إعادة تعيين كلمة المرور؟",
    "मैं अपना पासवर्ड कैसे बदलूँ?",
    "emoji 🙂👩‍👩‍👧 and a flag 🇳🇱",
    "nul \x00 and escape \x1b[31mred\x1b[0m",
    "def mean(values):\n    return sum(values) / len(values)\n",
    "https://example.com/a?b=c&d=%20e#f",
    "1234567890 " * 12,
    "The shipment of order 4711 has not arrived; what can I do about it? " * 3,
    "A paragraph that fills about half of what the model reads at once. " * 9,
    "Unbrokenwordwithoutanyspace" * 40,
    "A text that is longer than what the model reads, so that the end of it is cut off. " * 40,
]


def export(name: str, folder: Path, checksum: str, target: Path, *, named: bool) -> Export:
    """Export the model in `folder` to `target`, compare, and return what came of it.

    Takes about 20 s and 700 MB. `named` says that the model was asked for by its name. The target
    appears at once or not at all. Raises Problem if sentence-transformers can't load the model,
    OSError if the cache folder can't be written.
    """
    models_folder().mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=models_folder()))
    try:
        meta: dict[str, Any] = {
            "format": FORMAT,
            "model": name,
            "usable": False,
            "reason": "",
            "source": {
                "folder": str(folder),
                "named": named,
                "sha256": checksum,
                "stats": source_stats(folder),
            },
            "files": {},
            "versions": installed_versions(),
            "exported_at_ms": time.time_ns() // 1_000_000,
        }
        reference = load_reference(folder, attn_implementation="eager")
        meta["reason"] = _unsuited(reference) or _write_and_compare(reference, unfinished, meta)
        meta["usable"] = not meta["reason"]
        if not meta["usable"]:
            (unfinished / MODEL_FILE).unlink(missing_ok=True)
            meta["files"] = {}
        write_meta(unfinished, meta)
        if target.exists():
            target.rename(unfinished / "replaced")
        unfinished.rename(target)
        shutil.rmtree(target / "replaced", ignore_errors=True)
        return Export(target, meta)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _unsuited(reference: Any) -> str:
    """Why this kind of model isn't exported; empty if it is."""
    kinds = [type(module).__name__ for module in reference]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return f"its modules are {', '.join(kinds)}, not Transformer, Pooling, Normalize"
    if reference[1].pooling_mode not in _POOLINGS:
        return f"its pooling is {reference[1].pooling_mode}, neither mean nor cls"
    if reference.default_prompt_name:
        return f"it puts the prompt {reference.default_prompt_name!r} before every text"
    if not getattr(reference.tokenizer, "is_fast", False):
        return "its tokenizer has no tokenizer.json"
    return ""


def _write_and_compare(reference: Any, folder: Path, meta: dict[str, Any]) -> str:
    """Fill `folder` and `meta`; why the export can't be used, empty if it can."""
    meta["max_seq_length"] = reference.max_seq_length
    meta["pad_id"] = reference.tokenizer.pad_token_id or 0
    meta["lowercase"] = bool(getattr(reference[0], "do_lower_case", False))
    reference.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))
    wanted = reference.encode(COMPARED, batch_size=4, normalize_embeddings=True, show_progress_bar=False)
    meta["dims"] = int(wanted.shape[1])
    try:
        _write_graph(reference, folder / MODEL_FILE)
        encoder = OnnxEncoder(folder, meta)
        measured = encoder.measure(COMPARED)
        made = [vector for item in measured for vector in encoder.vectors([item])]
        together = encoder.vectors(measured[:20])
    except OSError:
        raise
    except Exception as error:
        return f"the export failed ({type(error).__name__}: {str(error)[:200]})"
    apart = max(_difference(made, wanted), _difference(together, wanted[:20]))
    meta["max_abs_difference"] = apart
    meta["files"] = {file: file_record(folder / file) for file in (MODEL_FILE, TOKENIZER_FILE)}
    return "" if apart <= TOLERANCE else f"its vectors differ by {apart:.1e}, more than {TOLERANCE:.0e}"


def _difference(made: list[bytes], wanted: np.ndarray[Any, Any]) -> float:
    rows = np.stack([np.frombuffer(vector, dtype="<f4") for vector in made])
    worst = float(np.max(np.abs(rows - wanted)))
    return worst if worst == worst else float("inf")


def _write_graph(reference: Any, path: Path) -> None:
    graph = _Graph(reference)
    sample = dict(reference.tokenizer(["one two three", "four"], padding=True, return_tensors="pt"))
    inputs = [key for key in ("input_ids", "attention_mask", "token_type_ids") if key in sample]
    with torch.no_grad(), warnings.catch_warnings():
        # The tracer warns about every shape it takes from the sample; the comparison is the check.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            tuple(sample[key] for key in inputs),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=inputs,
            output_names=["embedding"],
            dynamic_axes={**{key: {0: "batch", 1: "length"} for key in inputs}, "embedding": {0: "batch"}},
        )


class _Graph(torch.nn.Module):
    """The model's forward pass as one function of tensors.

    Mean pooling as in Reimers and Gurevych, Sentence-BERT, 2019 (arXiv:1908.10084), section 3.
    """

    def __init__(self, reference: Any) -> None:
        super().__init__()
        self.transformer = reference[0].auto_model
        self.mean = reference[1].pooling_mode == "mean"

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        kinds = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        states = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask, **kinds
        ).last_hidden_state
        if self.mean:
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            pooled = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        else:
            pooled = states[:, 0]
        return torch.nn.functional.normalize(pooled, p=2.0, dim=1)
