"""One worker process seen from its parent: started in the background, asked by futures."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import costconsole
from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import Embedding
from costconsole.embedding.frames import (
    CANCEL,
    EMBED,
    ERROR,
    STATUS,
    VECTORS,
    FrameReader,
    frame,
    pack_texts,
    unpack_embeddings,
)
from costconsole.embedding.sender import Sender

Answer = Future[list[Embedding]]


class Gone(Exception):
    """The process has ended: ask another one."""


class WorkerProcess:
    """Starts `costconsole.embedding.worker` for `model` after `delay_s`, in a thread of its own.

    `on_status` gets each status of the worker; `on_end` gets a sentence when it has ended unasked, and
    returns the one that the open requests fail with. Both are called from the reading thread.
    """

    def __init__(
        self,
        model: str,
        on_status: Callable[[dict[str, Any]], None],
        on_end: Callable[[str], str],
        *,
        delay_s: float = 0.0,
    ) -> None:
        self._model = model
        self._on_status = on_status
        self._on_end = on_end
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._open: dict[int, Answer] = {}
        self._sender = Sender()
        self._stop = threading.Event()
        self._ended = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="costconsole-embedding", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def submit(self, texts: Sequence[str]) -> Answer:
        """Ask; the future fails with Problem. Raises Gone if the process has ended."""
        answer: Answer = Future()
        payload = pack_texts(texts)
        with self._lock:
            if self._ended:
                raise Gone
            request = next(self._ids)
            self._open[request] = answer
            self._sender.send(frame(EMBED, request, payload))
        answer.add_done_callback(lambda done: self._withdraw(request) if done.cancelled() else None)
        return answer

    def stop(self) -> None:
        """End the process and wait for that; open requests fail."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.kill()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def forget(self) -> None:
        """After a fork, in the child: let go of the parent's pipes, without touching its process."""
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout) if process else ():
            if pipe is not None:
                pipe.close()
        if process is not None:
            # Not this process's child: there is nothing to wait for.
            process.returncode = 0

    def _withdraw(self, request: int) -> None:
        with self._lock:
            if self._open.pop(request, None) is not None:
                self._sender.send(frame(CANCEL, request))

    def _run(self) -> None:
        sentence = ""
        try:
            if not self._stop.wait(self._delay_s):
                sentence = self._serve()
        except OSError as error:
            sentence = f"The embedding process can't be started ({error.strerror}): check {sys.executable}."
        except Exception as error:
            # Whatever it is, whoever waits for an answer must hear of it.
            sentence = (
                f"The embedding process can't be understood ({type(error).__name__}): reinstall costconsole."
            )
        self._end(sentence)

    def _serve(self) -> str:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "costconsole.embedding.worker", self._model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_environment(),
            # Of its own session: ctrl+c in the terminal is for the parent.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        if self._stop.is_set():
            process.kill()
        self._sender.open(process.stdin.fileno())
        reader = FrameReader(process.stdout.fileno())
        while (frames := reader.read()) is not None:
            for kind, request, payload in frames:
                if kind == STATUS:
                    self._on_status(json.loads(payload))
                else:
                    self._answer(kind, request, payload)
        process.kill()
        self._sender.close()
        process.stdin.close()
        process.stdout.close()
        return _obituary(process.wait())

    def _answer(self, kind: int, request: int, payload: bytes) -> None:
        with self._lock:
            answer = self._open.pop(request, None)
        if answer is None or not answer.set_running_or_notify_cancel():
            return
        if kind == VECTORS:
            answer.set_result(unpack_embeddings(payload))
        elif kind == ERROR:
            answer.set_exception(Problem(payload.decode()))

    def _end(self, sentence: str) -> None:
        # First the owner lets go of this process, so that whoever is told Gone finds another one.
        sentence = "The embedding process was closed." if self._stop.is_set() else self._on_end(sentence)
        with self._lock:
            self._ended = True
            left, self._open = list(self._open.values()), {}
        for answer in left:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(Problem(sentence))


def _environment() -> dict[str, str]:
    """The environment, with the place of this package if the interpreter wouldn't find it by itself."""
    environment = dict(os.environ)
    root = Path(costconsole.__file__).resolve().parent.parent
    if root.name not in {"site-packages", "dist-packages"}:
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else str(root)
    return environment


def _obituary(code: int) -> str:
    if code < 0:
        try:
            cause = f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            cause = f"was ended by signal {-code}"
    else:
        cause = f"ended with code {code}"
    return f"The embedding process {cause} before it answered: try again."
