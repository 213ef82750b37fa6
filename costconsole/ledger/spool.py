"""The file in which batches wait while Redis is away.

One file a writer, for its owner alone (0600) in a folder likewise (0700), locked as long as the writer
lives: a spool without a lock belongs to a process that is gone, and the next one sends it. After a header
line, each line is `<crc32 in hex> <batch>`. The header tells how far the file was sent; it is rewritten in
place. A last line that was torn by a crash is cut off, a damaged one in the middle is skipped; both are
counted in `torn`.

What `append` has returned from survives the process; it survives the machine too, for it is synced.
"""

from __future__ import annotations

import fcntl
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from costconsole.ledger.batch import Batch

MAX_BYTES = 1 << 30
_HEADER = b"costconsole spool 1 %020d\n"
_HEADER_LENGTH = len(_HEADER % 0)
_HEADER_SHAPE = re.compile(rb"costconsole spool 1 (\d{20})\n")


class Spool:
    """One spool file, open and locked. Not thread-safe: its writer's flusher thread owns it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.sent_to = _HEADER_LENGTH
        self.size = _HEADER_LENGTH
        self.calls = 0
        """Calls in the batches that are not sent yet."""
        self.torn = 0

    @classmethod
    def create(cls, path: Path) -> Spool:
        """A new, empty spool. Raises OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(descriptor, _HEADER % _HEADER_LENGTH, 0)
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    @classmethod
    def adopt(cls, path: Path) -> Spool | None:
        """The spool of a writer that is gone; None if it still lives, or if there is nothing to adopt."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between our open and our lock, another process may have sent and removed it.
            if os.fstat(descriptor).st_nlink == 0:
                raise FileNotFoundError(path)
            spool = cls(path, descriptor)
            spool._inspect()
        except OSError:
            os.close(descriptor)
            return None
        return spool

    def _inspect(self) -> None:
        header = _HEADER_SHAPE.fullmatch(os.pread(self._descriptor, _HEADER_LENGTH, 0))
        self.size = os.fstat(self._descriptor).st_size
        self.sent_to = int(header[1]) if header else _HEADER_LENGTH
        if self.sent_to > self.size:
            self.sent_to = self.size  # It was emptied, and the machine stopped before the header said so.
            return
        end = self.sent_to
        for start, line in self._lines():
            end = start + len(line)
            if not line.endswith(b"\n"):
                self.torn += 1
                end = start
                break
            batch = _read(line)
            if batch is None:
                self.torn += 1
            else:
                self.calls += batch.calls
        if end < self.size:
            os.ftruncate(self._descriptor, end)
            self.size = end

    @property
    def waiting(self) -> bool:
        return self.sent_to < self.size

    def append(self, batches: Sequence[Batch]) -> None:
        """Write and sync all of `batches`, or, on OSError, none of them."""
        lines = b"".join(_line(batch) for batch in batches)
        if self.size + len(lines) > MAX_BYTES:
            raise OSError(27, "the spool is as large as it may get", str(self.path))
        at = self.size
        try:
            rest = memoryview(lines)
            while rest:
                written = os.pwrite(self._descriptor, rest, at)
                at += written
                rest = rest[written:]
            os.fsync(self._descriptor)
        except OSError:
            try:
                os.ftruncate(self._descriptor, self.size)
            except OSError:
                pass
            raise
        self.size = at
        self.calls += sum(batch.calls for batch in batches)

    def batches(self) -> Iterator[tuple[Batch, int]]:
        """The waiting batches in order, each with the position to give to `sent` once it has arrived."""
        for start, line in self._lines():
            batch = _read(line)
            if batch is not None:
                yield batch, start + len(line)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        at = self.sent_to
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(at)
            while line := file.readline():
                yield at, line
                at += len(line)

    def sent(self, position: int, calls: int) -> None:
        """Everything before `position` has arrived."""
        self.sent_to = position
        self.calls -= calls
        try:
            os.pwrite(self._descriptor, _HEADER % position, 0)
        except OSError:
            pass  # A batch that is sent again changes nothing.

    def empty(self) -> None:
        """Everything has arrived: give the room back."""
        self.calls = 0
        try:
            os.ftruncate(self._descriptor, _HEADER_LENGTH)
            os.pwrite(self._descriptor, _HEADER % _HEADER_LENGTH, 0)
        except OSError:
            return  # The file stays as long as it is; what comes is appended.
        self.sent_to = self.size = _HEADER_LENGTH

    def remove(self) -> None:
        """Unlink and unlock."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Unlock and leave the file to whoever adopts it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def forget(self) -> None:
        """After a fork, in the child: the file is the parent's, whose lock must not live on in the child."""
        self.close()


def _line(batch: Batch) -> bytes:
    body = batch.to_line()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _read(line: bytes) -> Batch | None:
    crc, _, body = line.rstrip(b"\n").partition(b" ")
    try:
        if len(crc) == 8 and int(crc, 16) == zlib.crc32(body):
            return Batch.from_line(body)
    except ValueError:
        pass
    return None
