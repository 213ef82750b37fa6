"""The exports on disk: `<cache>/models/<name>-<checksum of the source>/`.

Each holds model.onnx, tokenizer.json and meta.json.

A start costs a few stats and one small JSON file. The 90 MB are hashed again only if their size or
their time of change is not what meta.json recorded when they were written or last found right.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costconsole.embedding.models import given_folder, model_name

FORMAT = 1
UNFINISHED = ".unfinished-"
MODEL_FILE, TOKENIZER_FILE, META_FILE = "model.onnx", "tokenizer.json", "meta.json"
_EXPORTERS = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime", "tokenizers")
_SOURCE_SUFFIXES = {".safetensors", ".bin", ".json", ".txt", ".model"}


@dataclass(frozen=True, slots=True)
class Export:
    """One export as meta.json describes it; `usable` is False if it didn't agree with its source."""

    folder: Path
    meta: dict[str, Any]

    @property
    def usable(self) -> bool:
        return bool(self.meta["usable"])

    @property
    def reason(self) -> str:
        return str(self.meta.get("reason", ""))


def models_folder() -> Path:
    """The folder of all exports; COSTCONSOLE_CACHE_DIR takes the place of the user's cache folder."""
    chosen = os.environ.get("COSTCONSOLE_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser() / "models"
    from platformdirs import user_cache_path

    return Path(user_cache_path("costconsole")) / "models"


def find_export(model: str) -> Export | None:
    """The export to use for `model`: its files as they were written, its source unchanged; else None."""
    folder = given_folder(model)
    name = model_name(model)
    found = []
    for meta_path in sorted(models_folder().glob(f"{_safe(name)}-*/{META_FILE}")):
        meta = _read_meta(meta_path)
        if meta is None or meta["model"] != name:
            continue
        if not (_same_source(folder, meta) if folder is not None else meta["source"]["named"]):
            continue
        found.append((meta["exported_at_ms"], Export(meta_path.parent, meta)))
    for _, export in sorted(found, key=lambda item: item[0], reverse=True):
        if _stands(export):
            return export
    return None


def export_at(folder: Path) -> Export | None:
    """The export in this folder, if its files are as they were written."""
    meta = _read_meta(folder / META_FILE)
    export = Export(folder, meta) if meta is not None else None
    return export if export is not None and _stands(export) else None


def export_folder(name: str, checksum: str) -> Path:
    return models_folder() / f"{_safe(name)}-{checksum[:16]}"


def source_files(folder: Path) -> list[Path]:
    """The files that make the model what it is: weights, configuration, vocabulary."""
    candidates = [*folder.glob("*"), *folder.glob("[0-9]_*/*")]
    files = [path for path in candidates if path.suffix in _SOURCE_SUFFIXES and path.is_file()]
    if any(path.suffix == ".safetensors" for path in files):
        files = [path for path in files if path.suffix != ".bin"]
    return sorted(files)


def source_checksum(folder: Path) -> str:
    """sha256 over the names and the contents of `source_files`."""
    total = hashlib.sha256()
    for path in source_files(folder):
        total.update(f"{path.relative_to(folder)}\0{file_checksum(path)}\n".encode())
    return total.hexdigest()


def source_stats(folder: Path) -> list[list[str | int]]:
    """[name, size, mtime_ns] of each source file: equal stats are taken for an equal source."""
    return [[str(path.relative_to(folder)), *_size_and_time(path)] for path in source_files(folder)]


def file_checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_record(path: Path) -> dict[str, Any]:
    size, mtime_ns = _size_and_time(path)
    return {"size": size, "mtime_ns": mtime_ns, "sha256": file_checksum(path)}


def write_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Replace meta.json at once, so that no reader sees half of it."""
    fresh = folder / f".{META_FILE}.{os.getpid()}"
    fresh.write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(folder / META_FILE)


def _read_meta(path: Path) -> dict[str, Any] | None:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        return None
    return meta if {"model", "usable", "source", "files", "exported_at_ms"} <= meta.keys() else None


def installed_versions() -> dict[str, str]:
    """The versions that decide whether a model can be exported; "" is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in _EXPORTERS:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = ""
    return versions


def _stands(export: Export) -> bool:
    """Whether the export is as it was written; a failed one stands until one of the exporters changes."""
    if export.usable:
        return _files_intact(export)
    return bool(export.meta.get("versions") == installed_versions())


def _same_source(folder: Path, meta: dict[str, Any]) -> bool:
    source = meta["source"]
    if source["folder"] == str(folder) and source["stats"] == source_stats(folder):
        return True
    if source["sha256"] != source_checksum(folder):
        return False
    _refresh(meta, export_folder(meta["model"], source["sha256"]), folder)
    return True


def _refresh(meta: dict[str, Any], export: Path, source: Path) -> None:
    meta["source"].update(folder=str(source), stats=source_stats(source))
    _write_if_possible(export, meta)


def _files_intact(export: Export) -> bool:
    changed = False
    for name, record in export.meta["files"].items():
        path = export.folder / name
        try:
            size, mtime_ns = _size_and_time(path)
            if (size, mtime_ns) == (record["size"], record["mtime_ns"]):
                continue
            if size != record["size"] or file_checksum(path) != record["sha256"]:
                return False
        except OSError:
            return False
        record["mtime_ns"] = mtime_ns
        changed = True
    if changed:
        _write_if_possible(export.folder, export.meta)
    return True


def _write_if_possible(folder: Path, meta: dict[str, Any]) -> None:
    """Remember what was checked; on a read-only cache it is checked again the next time."""
    try:
        write_meta(folder, meta)
    except OSError:
        pass


def _size_and_time(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
