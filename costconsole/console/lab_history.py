"""The prompts that were tried, kept in the user's state folder, for this user alone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from costconsole.console.lab import Question
from costconsole.domain.redact import redact

FILE = "lab-history.jsonl"
KEPT = 200
_LONGEST = 20_000
_BYTES = 4_000_000
"""A file that is larger than this is not read: it isn't ours."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One prompt that was tried. `cut` says that it was longer than what is kept."""

    at_ms: int
    prompt: str
    model: str = ""
    system: str = ""
    tenant: str = ""
    cut: bool = False


class History:
    """Reads and writes blocking: call it in a thread. A file that can't be read or written is no error."""

    def __init__(self, folder: Path, *, redacted: bool = False, kept: int = KEPT) -> None:
        self._path = folder / FILE
        self._redacted = redacted
        self._kept = kept

    def read(self) -> tuple[Tried, ...]:
        """The newest first."""
        try:
            if self._path.stat().st_size > _BYTES * 2:
                return ()
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return ()
        found = [tried for line in reversed(lines) if (tried := _parsed(line)) is not None]
        return tuple(found[: self._kept])

    def add(self, question: Question, at_ms: int) -> None:
        """Keep a prompt; the same one again moves to the front."""

        def shown(text: str) -> str:
            return redact(text) if self._redacted else text

        one = Tried(
            at_ms,
            shown(question.prompt)[:_LONGEST],
            question.model,
            shown(question.system)[:_LONGEST],
            question.tenant,
            len(question.prompt) > _LONGEST,
        )
        same = (one.prompt, one.model, one.system, one.tenant)
        others = [t for t in self.read() if (t.prompt, t.model, t.system, t.tenant) != same]
        self._write([one, *others][: self._kept])

    def _write(self, tried: Sequence[Tried]) -> None:
        lines: list[str] = []
        size = 0
        for one in tried:
            line = json.dumps(asdict(one))
            size += len(line)
            if size > _BYTES:
                break
            lines.append(line)
        new = self._path.with_name(f".{FILE}.{os.getpid()}")
        try:
            # Made for this user alone before anything is in it.
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in reversed(lines)))
            os.replace(new, self._path)
        except OSError:
            new.unlink(missing_ok=True)


def _parsed(line: str) -> Tried | None:
    try:
        found = json.loads(line)
        return Tried(
            int(found["at_ms"]),
            str(found["prompt"]),
            str(found.get("model", "")),
            str(found.get("system", "")),
            str(found.get("tenant", "")),
            bool(found.get("cut")),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
