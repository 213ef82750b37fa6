"""What is written when something goes wrong inside: a private log, without values and without secrets."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

_USERINFO = re.compile(r"(?<=://)[^\s/@]*@")
_KEEP = 20


def scrub(text: str, secrets: Iterable[str | None] = ()) -> str:
    """`text` without credentials of URLs and without any of the secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return _USERINFO.sub("***@", text)


def write_crash(
    error: BaseException, secrets: Iterable[str | None] = (), *, folder: Path | None = None
) -> Path:
    """Write the traceback (no local variables) to a new file that only this user may read.

    Returns its path; when it can't be written, the path of the null device.
    """
    from costconsole import __version__
    from costconsole.settings import state_dir

    text = "".join(traceback.format_exception(error))
    head = f"costconsole {__version__}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n"
    try:
        folder = folder or state_dir()
        path = folder / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{id(error) & 0xFFFF:04x}.log"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(head + scrub(text, secrets))
        for old in sorted(folder.glob("crash-*.log"))[:-_KEEP]:
            old.unlink(missing_ok=True)
    except OSError:
        return Path(os.devnull)
    return path
