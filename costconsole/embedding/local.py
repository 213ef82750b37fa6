"""The local model, run by a worker process; this process imports neither numpy nor onnxruntime nor torch."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from costconsole.domain.errors import Problem, TimeoutProblem
from costconsole.embedding.embedder import DEFAULT_MODEL, Embedding
from costconsole.embedding.models import given_folder, model_name
from costconsole.embedding.process import Answer, Gone, WorkerProcess

# A worker that ends within this time has died quickly; three such in a row, and no other is started
# before REST_S have passed.
QUICK_S = 5.0
QUICK_DEATHS = 3
REST_S = 60.0
BACK_OFF_S = 0.2

_every: weakref.WeakSet[LocalEmbedder] = weakref.WeakSet()


class LocalEmbedder:
    """An `Embedder` over a sentence-transformers model, by name or by folder.

    The worker is started by `start()` or the first request, in the background, and again if it dies.
    `remember` keeps the vectors of that many recent texts. `timeout_s` bounds the wait for one text;
    each further text adds half a second. Raises UsageProblem for a path that holds no model.

    Safe to use from any thread and any event loop. After a fork the child starts a worker of its own.
    """

    def __init__(self, model: str = DEFAULT_MODEL, *, remember: int = 0, timeout_s: float = 120.0) -> None:
        self.name = model_name(model)
        # A folder is remembered in full: the worker may start after a change of directory.
        self._model = str(given_folder(model) or model)
        self._remember = remember
        self._timeout_s = timeout_s
        self._dims: int | None = None
        self._fresh()
        _every.add(self)

    def _fresh(self) -> None:
        """The state of an embedder of which nothing runs."""
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self._status = "off"
        self._closed = False
        self._started_at = 0.0
        self._deaths = 0
        self._rest_until = 0.0
        self._refusal = ""
        self._recent: OrderedDict[str, Embedding] = OrderedDict()

    @property
    def dims(self) -> int | None:
        return self._dims

    @property
    def status(self) -> str:
        return self._status

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, for whoever watches its memory."""
        worker = self._worker
        return worker.pid if worker is not None else None

    def start(self) -> None:
        """Begin to load; a model that couldn't be loaded before is tried again."""
        with self._lock:
            if self._closed or self._worker is not None:
                return
            self._refusal = ""
            self._rest_until = 0.0
            self._spawn()

    def embed(self, texts: Sequence[str]) -> list[Embedding]:
        answer = self._ask(texts)
        try:
            return answer.result(self._patience(texts))
        except FutureTimeout:
            answer.cancel()
            raise self._too_slow(texts) from None

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        import asyncio

        try:
            async with asyncio.timeout(self._patience(texts)):
                return await asyncio.wrap_future(self._ask(texts))
        except TimeoutError:
            raise self._too_slow(texts) from None

    def close(self) -> None:
        """End the worker. The embedder can't be used again."""
        with self._lock:
            self._closed = True
            self._status = "off"
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def _patience(self, texts: Sequence[str]) -> float:
        return self._timeout_s + 0.5 * max(0, len(texts) - 1)

    def _too_slow(self, texts: Sequence[str]) -> TimeoutProblem:
        return TimeoutProblem(
            f"The embedding model {self.name} didn't answer within {self._patience(texts):.0f} s: "
            f"the machine is overloaded or the embedding process hangs; restart it."
        )

    def _ask(self, texts: Sequence[str]) -> Answer:
        if isinstance(texts, str):
            raise TypeError("embed() takes a list of texts, not one text")
        with self._lock:
            known = [self._recall(text) for text in texts]
        missing = [text for text, embedding in zip(texts, known, strict=True) if embedding is None]
        if not missing:
            done: Answer = Future()
            done.set_result([embedding for embedding in known if embedding is not None])
            return done
        if not self._remember:
            return self._submit(missing)
        return self._remembering(texts, known, missing)

    def _remembering(self, texts: Sequence[str], known: list[Embedding | None], missing: list[str]) -> Answer:
        whole: Answer = Future()
        part = self._submit(missing)

        def complete(done: Answer) -> None:
            if done.cancelled() or not whole.set_running_or_notify_cancel():
                return
            error = done.exception()
            if error is not None:
                whole.set_exception(error)
                return
            fresh = iter(done.result())
            answer = [embedding or next(fresh) for embedding in known]
            with self._lock:
                for text, embedding in zip(texts, answer, strict=True):
                    self._recent[text] = embedding
                    self._recent.move_to_end(text)
                while len(self._recent) > self._remember:
                    self._recent.popitem(last=False)
            whole.set_result(answer)

        part.add_done_callback(complete)
        whole.add_done_callback(lambda done: part.cancel() if done.cancelled() else None)
        return whole

    def _recall(self, text: str) -> Embedding | None:
        if not self._remember:
            return None
        embedding = self._recent.get(text)
        if embedding is not None:
            self._recent.move_to_end(text)
        return embedding

    def _submit(self, texts: Sequence[str]) -> Answer:
        while True:
            with self._lock:
                worker = self._worker or self._spawn_if_allowed()
            try:
                return worker.submit(texts)
            except Gone:
                continue

    def _spawn_if_allowed(self) -> WorkerProcess:
        if self._closed:
            raise Problem("The embedder was closed: make another one.")
        if self._refusal:
            raise Problem(self._refusal)
        if time.monotonic() < self._rest_until:
            raise Problem(self._status.removeprefix("failed: "))
        return self._spawn()

    def _spawn(self) -> WorkerProcess:
        self._status = "starting"
        delay_s = BACK_OFF_S * 2 ** (self._deaths - 1) if self._deaths else 0.0
        self._started_at = time.monotonic() + delay_s
        self._worker = WorkerProcess(self._model, self._on_status, self._on_end, delay_s=delay_s)
        return self._worker

    def _on_status(self, status: dict[str, Any]) -> None:
        with self._lock:
            if self._closed:
                return
            if status["state"] == "failed":
                self._refusal = status["sentence"]
                self._status = f"failed: {self._refusal}"
                return
            self._status = status["state"]
            self._dims = status.get("dims", self._dims)

    def _on_end(self, sentence: str) -> str:
        """What to tell the open requests; the next one starts another worker, unless that is hopeless."""
        with self._lock:
            self._worker = None
            if self._refusal:
                return self._refusal
            quick = time.monotonic() - self._started_at < QUICK_S
            self._deaths = self._deaths + 1 if quick else 1
            if self._deaths < QUICK_DEATHS:
                self._status = "off"
                return sentence
            self._deaths = 0
            self._rest_until = time.monotonic() + REST_S
            reason = (
                f"The embedding process of {self.name} ended {QUICK_DEATHS} times in a row "
                f"({sentence.split(': ')[0]}): is there memory enough? "
                f"It is tried again after {REST_S:.0f} s."
            )
            self._status = f"failed: {reason}"
            return reason

    def _forget_after_fork(self) -> None:
        worker = self._worker
        closed = self._closed
        self._fresh()
        self._closed = closed
        if worker is not None:
            worker.forget()


def _close_all() -> None:
    for embedder in list(_every):
        embedder.close()


def _forget_all() -> None:
    for embedder in list(_every):
        embedder._forget_after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
