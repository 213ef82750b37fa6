"""The process that holds the local model: `python -m costconsole.embedding.worker MODEL`.

It answers the frames of its standard input (frames.py) on its standard output, and ends when the
input closes, that is when its parent ends, however that happens. Nothing else is written to the output.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading

from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import DEFAULT_MODEL, Embedding
from costconsole.embedding.encoder import Encoder, Measured
from costconsole.embedding.frames import (
    CANCEL,
    EMBED,
    ERROR,
    STATUS,
    VECTORS,
    FrameReader,
    frame,
    pack_embeddings,
    unpack_texts,
    write_all,
)
from costconsole.embedding.inbox import Inbox, Job
from costconsole.embedding.store import META_FILE, Export, find_export

# A group is what runs at once: padding makes larger ones no faster, and a query waits for at most one.
GROUP_TEXTS = 16
GROUP_PIECES = 256
# So many texts of a bulk request are tokenized and sorted by length at a time.
SORTED_TEXTS = 64

PREPARING = "preparing the model (first use, about 20 s)"


class Worker:
    """Loads `model`, then answers requests until the input closes."""

    def __init__(self, model: str, source: int, sink: int) -> None:
        self._model = model
        self._source = source
        self._frames = FrameReader(source)
        self._sink = sink
        self._inbox = Inbox()

    def run(self) -> None:
        threading.Thread(target=_end_with_parent, args=(self._source,), daemon=True).start()
        try:
            encoder = self._open()
        except Problem as problem:
            self._say(state="failed", sentence=str(problem))
            return
        except Exception as error:
            sentence = f"The embedding model {self._model} can't be run ({type(error).__name__}: {error})."
            self._say(state="failed", sentence=sentence)
            return
        self._say(
            state="ready", dims=encoder.dims, max_seq_length=encoder.max_seq_length, backend=encoder.backend
        )
        while self._receive():
            job = self._inbox.take()
            if job is not None:
                self._step(encoder, job)

    def _receive(self) -> bool:
        """Take in what has arrived, waiting for it if there is nothing else to do; False at the end.

        The embedding thread does this itself between two steps: another one would have to hand each
        request over, which costs a query a twentieth of its time.
        """
        while self._inbox.empty or select.select([self._source], [], [], 0)[0]:
            frames = self._frames.read()
            if frames is None:
                return False
            for kind, request, payload in frames:
                if kind == EMBED:
                    self._inbox.put(Job(request, unpack_texts(payload)))
                elif kind == CANCEL:
                    self._inbox.cancel(request)
        return True

    def _open(self) -> Encoder:
        export = find_export(self._model)
        if export is not None and export.usable:
            try:
                return _onnx(export)
            except Exception:
                # Unchanged on disk, yet not loadable: have it made anew.
                export = self._discard(export)
        if export is None:
            self._say(state=PREPARING)
            export = self._prepare()
        if export is not None and export.usable:
            return _onnx(export)
        from costconsole.embedding.models import fetched_folder
        from costconsole.embedding.torch_encoder import TorchEncoder

        return TorchEncoder(fetched_folder(self._model))

    def _discard(self, export: Export) -> Export | None:
        """None, once the export is gone; one that can't be removed is not to be used."""
        try:
            (export.folder / META_FILE).unlink(missing_ok=True)
        except OSError:
            return Export(export.folder, {**export.meta, "usable": False})
        return None

    def _prepare(self) -> Export | None:
        """Export in a process of its own, so that torch's memory isn't kept; None if it can't be stored."""
        import subprocess

        command = [
            sys.executable,
            "-P",
            "-m",
            "costconsole.embedding.prepare",
            "--json",
            "--until-stdin-closes",
        ]
        child = subprocess.Popen(
            [*command, "--", self._model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        output = child.stdout.read()
        child.wait()
        try:
            result = json.loads(output.splitlines()[-1])
        except (IndexError, ValueError):
            raise Problem(
                f"Preparing the embedding model {self._model} ended with code {child.returncode}: "
                f"`python -m costconsole.embedding.prepare` shows why."
            ) from None
        if "problem" not in result:
            return find_export(self._model)
        if result["model_at_fault"]:
            raise Problem(result["problem"])
        return None

    def _step(self, encoder: Encoder, job: Job) -> None:
        try:
            if not job.groups and job.tokenized < len(job.texts):
                _tokenize(encoder, job)
            group = job.groups.popleft()
            vectors = encoder.vectors([measured for _, measured in group])
            for (index, measured), vector in zip(group, vectors, strict=True):
                truncated = measured.tokens > measured.length
                job.answer[index] = Embedding(vector, measured.tokens, truncated)
        except Exception as error:
            # The texts themselves are in no message: they may be private.
            self._send(ERROR, job.request, f"The embedding failed ({type(error).__name__}).".encode())
            return
        if job.groups or job.tokenized < len(job.texts):
            self._inbox.put_back(job)
        else:
            self._send(
                VECTORS, job.request, pack_embeddings([item for item in job.answer if item is not None])
            )

    def _say(self, **status: object) -> None:
        self._send(STATUS, 0, json.dumps(status).encode())

    def _send(self, kind: int, request: int, payload: bytes) -> None:
        try:
            write_all(self._sink, frame(kind, request, payload))
        except BrokenPipeError:
            os._exit(0)


def _end_with_parent(source: int) -> None:
    """End at once, whatever is being loaded or embedded, when the parent has closed the pipe or is gone."""
    hang_up = select.poll()
    # No events asked for: it wakes up for the end alone, not for each request.
    hang_up.register(source, 0)
    hang_up.poll()
    os._exit(0)


def _onnx(export: Export) -> Encoder:
    from costconsole.embedding.onnx_encoder import OnnxEncoder

    return OnnxEncoder(export.folder, export.meta)


def _tokenize(encoder: Encoder, job: Job) -> None:
    """Tokenize the next texts of the job and group those of like length."""
    begin = job.tokenized
    job.tokenized = min(begin + SORTED_TEXTS, len(job.texts))
    measured = enumerate(encoder.measure(job.texts[begin : job.tokenized]), begin)
    group: list[tuple[int, Measured]] = []
    for index, item in sorted(measured, key=lambda pair: pair[1].length):
        if group and (len(group) == GROUP_TEXTS or (len(group) + 1) * item.length > GROUP_PIECES):
            job.groups.append(group)
            group = []
        group.append((index, item))
    job.groups.append(group)


def main() -> None:
    """Take the pipes for the frames alone: what a library prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    Worker(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_MODEL, source, sink).run()


if __name__ == "__main__":
    main()
