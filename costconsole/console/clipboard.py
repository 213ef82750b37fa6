"""Copying over SSH: the terminal is asked to (OSC 52), and a file has it too."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path

OSC52_CAP = 74_994
"""Encoded bytes that terminals take at most; longer ones they drop whole."""


def encoded(text: str) -> str | None:
    """The escape sequence that sets the clipboard, or None when the text is too long for it."""
    payload = base64.b64encode(text.encode("utf-8", "backslashreplace"))
    return None if len(payload) > OSC52_CAP else f"\x1b]52;c;{payload.decode()}\a"


def last_copy_file(text: str, folder: Path) -> Path:
    """Write the text where it can be fetched from when the terminal ignores OSC 52; for this user alone."""
    path = folder / "last-copy.txt"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return path


def copy(
    what: str, text: str, *, write: Callable[[str], None], folder: Path, environ: Mapping[str, str]
) -> str:
    """Copy, and say what was copied, how much of it, and where else it is."""
    size = len(text.encode("utf-8", "backslashreplace"))
    sequence = encoded(text)
    try:
        path = f"{last_copy_file(text, folder)}"
    except OSError:
        path = ""
    if sequence is not None:
        write(sequence)
    done = f"copied {what}, {size:,} bytes"
    if sequence is None:
        return f"{what}, {size:,} bytes, is too long for a terminal's clipboard: it is in {path}"
    if environ.get("TMUX"):
        done += " (tmux needs: set -g set-clipboard on)"
    return f"{done}; also in {path}" if path else done
