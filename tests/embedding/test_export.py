"""Exports against sentence-transformers, the reference; the only tests that import torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import floats
from costconsole.embedding.local import LocalEmbedder
from costconsole.embedding.models import packaged_folder
from costconsole.embedding.prepare import CacheUnwritable, prepare
from costconsole.embedding.store import MODEL_FILE, find_export

TEXTS = [
    "How do I reset my password?",
    "",
    "Wie kann ich mein Passwort zurücksetzen? 🙂",
    "如何重置我的密码？",
    "  spaces \t and\nlines  ",
    "a long text " * 300,
]


def matrix(vectors: list[bytes]) -> np.ndarray[Any, Any]:
    return np.array([floats(vector) for vector in vectors])


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, small sentence-transformers model with random weights: exported in a second."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    source = packaged_folder("all-MiniLM-L6-v2")
    assert source is not None
    folder = tmp_path_factory.mktemp("models") / "tiny"
    bare = tmp_path_factory.mktemp("bare")
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(bare)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(source / name, bare)
    transformer = Transformer(str(bare), max_seq_length=64)
    SentenceTransformer(modules=[transformer, Pooling(32, "mean"), Normalize()], device="cpu").save(
        str(folder)
    )
    return folder


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "tiny"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("COSTCONSOLE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_worker_agrees_with_sentence_transformers(embedder: LocalEmbedder) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(packaged_folder("all-MiniLM-L6-v2")), device="cpu")
    wanted = reference.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    made = embedder.embed(TEXTS)
    assert np.abs(matrix([item.vector for item in made]) - wanted).max() <= 1e-5
    counted = [len(reference.tokenizer(text, truncation=False)["input_ids"]) for text in TEXTS]
    assert [item.tokens for item in made] == counted
    assert [item.truncated for item in made] == [count > reference.max_seq_length for count in counted]


def test_an_export_is_made_once_and_found_again(cache: Path, model: Path) -> None:
    assert find_export(str(model)) is None
    made = prepare(str(model))
    assert made.usable
    assert made.folder.parent == cache / "models"
    assert made.meta["max_abs_difference"] <= 1e-5
    assert made.meta["dims"] == 32
    found = find_export(str(model))
    assert found is not None
    assert found.meta == made.meta
    assert prepare(str(model)).meta["exported_at_ms"] == made.meta["exported_at_ms"]
    assert [path.name for path in (cache / "models").glob(".unfinished*")] == []


def test_cls_pooling_is_exported_too(cache: Path, model: Path) -> None:
    mean = prepare(str(model))
    (config,) = model.glob("*Pooling/config.json")
    config.write_text(json.dumps({**json.loads(config.read_text()), "pooling_mode": "cls"}))
    cls = prepare(str(model))
    assert cls.usable
    assert cls.folder != mean.folder


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [flip_a_byte, cut_in_half, Path.unlink])
@pytest.mark.parametrize("file", [MODEL_FILE, "tokenizer.json"])
def test_a_damaged_export_is_made_anew(
    cache: Path, model: Path, damage: Callable[[Path], None], file: str
) -> None:
    first = prepare(str(model))
    intact = (first.folder / file).read_bytes()
    damage(first.folder / file)
    assert find_export(str(model)) is None
    again = prepare(str(model))
    assert again.usable
    assert (again.folder / file).read_bytes() == intact
    assert find_export(str(model)) is not None


def test_a_touched_export_is_checked_and_kept(cache: Path, model: Path) -> None:
    made = prepare(str(model))
    os.utime(made.folder / MODEL_FILE, ns=(1, 1))
    found = find_export(str(model))
    assert found is not None
    assert found.meta["exported_at_ms"] == made.meta["exported_at_ms"]


def test_other_weights_in_the_same_folder_are_another_model(cache: Path, model: Path) -> None:
    first = prepare(str(model))
    flip_a_byte(model / "model.safetensors")
    assert find_export(str(model)) is None
    second = prepare(str(model))
    assert second.folder != first.folder


def test_a_folder_never_stands_for_a_models_name(cache: Path, model: Path) -> None:
    namesake = model.rename(model.parent / "all-MiniLM-L6-v2")
    assert prepare(str(namesake)).usable
    assert find_export("all-MiniLM-L6-v2") is None


def test_processes_that_ask_at_once_export_once(cache: Path, model: Path) -> None:
    together = threading.Barrier(3)

    def ask() -> int:
        together.wait()
        return int(prepare(str(model)).meta["exported_at_ms"])

    with ThreadPoolExecutor(3) as pool:
        times = [job.result() for job in [pool.submit(ask) for _ in range(3)]]
    assert len(set(times)) == 1


def test_a_pooling_that_is_not_exported_is_served_by_sentence_transformers(cache: Path, model: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from costconsole.embedding.torch_encoder import TorchEncoder

    (config,) = model.glob("*Pooling/config.json")
    config.write_text(json.dumps({**json.loads(config.read_text()), "pooling_mode": "max"}))
    refused = prepare(str(model))
    assert not refused.usable
    assert "pooling is max" in refused.reason
    assert not (refused.folder / MODEL_FILE).exists()
    encoder = TorchEncoder(model)
    measured = encoder.measure(TEXTS)
    wanted = SentenceTransformer(str(model), device="cpu").encode(TEXTS, show_progress_bar=False)
    assert np.abs(matrix(encoder.vectors(measured)) - wanted).max() <= 1e-5
    assert [item.tokens > item.length for item in measured] == [False] * 5 + [True]


def test_vectors_that_differ_from_the_reference_are_not_used(
    cache: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from costconsole.embedding import onnx_export

    original = onnx_export._Graph.__init__

    def wrong(self: Any, reference: Any) -> None:
        original(self, reference)
        self.mean = False

    monkeypatch.setattr(onnx_export._Graph, "__init__", wrong)
    refused = prepare(str(model))
    assert not refused.usable
    assert "differ" in refused.reason
    assert not (refused.folder / MODEL_FILE).exists()


def test_a_failed_export_is_tried_again_with_other_versions(cache: Path, model: Path) -> None:
    made = prepare(str(model))
    meta_path = made.folder / "meta.json"
    refused = {**made.meta, "usable": False, "reason": "the export failed"}
    meta_path.write_text(json.dumps(refused))
    assert find_export(str(model)) is not None
    meta_path.write_text(json.dumps({**refused, "versions": {**refused["versions"], "torch": "1.0"}}))
    assert find_export(str(model)) is None
    assert prepare(str(model)).usable


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_broken_description_counts_as_no_export(cache: Path, model: Path, content: str) -> None:
    made = prepare(str(model))
    (made.folder / "meta.json").write_text(content)
    assert find_export(str(model)) is None
    assert prepare(str(model)).usable


def test_a_cache_that_cannot_be_written_is_named(cache: Path, model: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(CacheUnwritable, match="COSTCONSOLE_CACHE_DIR"):
        prepare(str(model))


def test_a_folder_that_cannot_be_loaded_is_named(cache: Path, model: Path) -> None:
    cut_in_half(model / "model.safetensors")
    with pytest.raises(Problem, match=r"can't load the embedding model in .*tiny"):
        prepare(str(model))


def test_a_first_use_exports_in_the_background_and_says_so(cache: Path, model: Path) -> None:
    local = LocalEmbedder(str(model))
    seen = set()
    watched = local._on_status

    def watch(status: dict[str, Any]) -> None:
        watched(status)
        seen.add(local.status)

    local._on_status = watch  # type: ignore[method-assign]
    try:
        (made,) = local.embed(["hello"])
    finally:
        local.close()
    assert made.dims == 32
    assert seen == {"preparing the model (first use, about 20 s)", "ready"}
    assert local.name == "tiny"


def test_the_command_prepares_and_tells_where(cache: Path, model: Path) -> None:
    prepare(str(model))
    command = [sys.executable, "-m", "costconsole.embedding.prepare"]
    done = subprocess.run([*command, str(model)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert str(cache / "models") in done.stdout
    failed = subprocess.run([*command, "./nothing"], capture_output=True, text=True, timeout=60)
    assert failed.returncode == 2
    assert "./nothing is not a sentence-transformers folder" in failed.stderr
    assert "Traceback" not in failed.stderr
