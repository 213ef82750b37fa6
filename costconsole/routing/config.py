"""Reads a routing config: the native form, LiteLLM's config.yaml, or a RedisVL router's YAML."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from costconsole.domain.errors import UsageProblem
from costconsole.routing.document import MAX_CHARS, Unreadable, Value, read_document
from costconsole.routing.model import ConfigFinding, RoutingConfig
from costconsole.routing.reading import Reader

_LITELLM: Final = ("model_list", "router_settings", "litellm_settings", "general_settings")
_REDISVL: Final = ("vectorizer", "routing_config")
_MAX_BYTES: Final = MAX_CHARS * 2
ReadFile = Callable[[str], str]
"""Reads a further file that a config names, by its path as it stands there. Raises ConfigProblem."""


class ConfigProblem(UsageProblem):
    """A config that can't be used. `findings` has every error (and warning); the message the first error."""

    def __init__(self, findings: Sequence[ConfigFinding]) -> None:
        self.findings = tuple(findings)
        errors = [finding for finding in findings if finding.level == "error"] or list(findings)
        more = f" (and {len(errors) - 1} more: costconsole routing validate FILE)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}")


def problem(source: str, message: str, line: int | None = None) -> ConfigProblem:
    """A ConfigProblem of one error."""
    return ConfigProblem([ConfigFinding("error", source, line, "", message)])


def version_of(text: str) -> str:
    """What tells one content from another: the start of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def parse_config(text: str, source: str, *, read: ReadFile | None = None) -> RoutingConfig:
    """The config in `text`, its format told by its keys. Raises ConfigProblem with all errors of it.

    `source` is what findings call it. Nothing but `text` is looked at, unless `read` is given for the
    further files that a LiteLLM config may name. Warnings are in the config's `findings`.
    """
    try:
        root = read_document(text)
    except Unreadable as error:
        raise problem(source, str(error), error.line) from None
    reader = Reader(source)
    texts = [text]

    def read_too(name: str) -> str:
        assert read is not None
        texts.append(read(name))
        return texts[-1]

    found = _read(root, reader, "", read and read_too)
    if found is None or reader.failed:
        raise ConfigProblem(in_order(reader.findings, source))
    return replace(found, findings=in_order(reader.findings, source), version=version_of("\0".join(texts)))


def _read(root: Value, reader: Reader, version: str, read: ReadFile | None) -> RoutingConfig | None:
    from costconsole.routing.litellm import read_litellm
    from costconsole.routing.native import read_native
    from costconsole.routing.redisvl import read_redisvl

    if root.kind == "table":
        if any(difflib.get_close_matches(key, _LITELLM, 1, 0.85) for key in root.table):
            return read_litellm(root, reader, version, read)
        if any(key in root.table for key in _REDISVL) and "models" not in root.table:
            return read_redisvl(root, reader, version)
        other = _other_format(root)
        if other:
            reader.error(root.line, "", other)
            return None
    return read_native(root, reader, version)


def _other_format(root: Value) -> str:
    from costconsole.routing.native import KEYS

    keys = root.table.keys()
    known = "expected costconsole's own form (models:), LiteLLM's (model_list:) or a RedisVL router's"
    if keys & {"encoder_type", "encoder_name", "encoder", "router_type"} and "routes" in keys:
        return f"this is a semantic-router file, which LiteLLM reads by auto_router_config_path; {known}"
    if keys & {"strategy", "targets"} and "models" not in keys:
        return f"this is a Portkey config, which isn't read; {known}"
    if keys and not keys & set(KEYS) and not difflib.get_close_matches("models", keys, cutoff=0.7):
        return f"nothing in this file belongs to a routing config; {known}"
    return ""


def in_order(findings: Sequence[ConfigFinding], source: str) -> tuple[ConfigFinding, ...]:
    """Errors before warnings, those of the file `source` before those of files it names, each by line."""
    return tuple(
        sorted(findings, key=lambda f: (f.level != "error", f.file != source, f.line is None, f.line or 0))
    )


def load_config(path: str | os.PathLike[str]) -> RoutingConfig:
    """The config in a file. Raises ConfigProblem, also for a file that can't be read."""
    source = os.fspath(path)
    return parse_config(read_text(source), source, read=beside(source))


def beside(source: str) -> ReadFile:
    """Reads the files that the config `source` names, relative to where it is."""
    folder = Path(source).expanduser().parent
    return lambda name: read_text(str(folder / Path(name).expanduser()))


def read_text(source: str) -> str:
    """The text of a config file. Raises ConfigProblem naming what is wrong with the file."""
    try:
        # A named pipe would be waited for without end.
        handle = os.open(Path(source).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
                raise problem(source, f"this is {what}; expected a YAML file")
            with open(handle, "rb", closefd=False) as file:
                data = file.read(_MAX_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise problem(source, _why_unreadable(error)) from None
    except ValueError:
        raise problem(source, "this is no path; expected a YAML file") from None
    return decode(data, source)


def _why_unreadable(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return "this file does not exist; expected a YAML file: create it or name another"
        case errno.EACCES | errno.EPERM:
            return "no permission to read this file: allow it, or name another"
        case errno.EISDIR:
            return "this is a folder; expected a YAML file"
    return f"this file can't be read ({os.strerror(error.errno or errno.EIO)})"


def decode(data: bytes, source: str) -> str:
    """The text that `data` is, in UTF-8 (or UTF-16, by its mark). Raises ConfigProblem."""
    if len(data) > _MAX_BYTES:
        raise problem(
            source, f"the file is larger than {_MAX_BYTES // 1_000_000} MB; expected a routing config"
        )
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise problem(source, f"byte {error.start + 1} isn't UTF-8; save the file as UTF-8", line) from None


def default_config() -> RoutingConfig:
    """The routing without any file: see `costconsole.routing.defaults`."""
    from costconsole.routing.defaults import default_config as build

    return build()
