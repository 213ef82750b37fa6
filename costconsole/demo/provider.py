"""A stand-in for the providers: an HTTP server on the loopback that speaks both wire formats.

It answers `POST /v1/chat/completions` and `POST /v1/messages`, whole or as a stream, with a text of the
caller's making, at a provider's pace, with a provider's token counts, and fails as providers do: at a rate
drawn from a seeded generator, or when told to.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from costconsole.demo.pace import Pace, pace_of
from costconsole.demo.wire import REFUSAL, Fault, Said, error_of, events_of, reply_of
from costconsole.domain.call import Usage
from costconsole.domain.errors import Problem

AnswerFor = Callable[[str, Sequence[Mapping[str, Any]]], str]
_MAX_BODY = 32 * 1024 * 1024
_PATHS: dict[str, Literal["openai", "anthropic"]] = {
    "/v1/chat/completions": "openai",
    "/chat/completions": "openai",
    "/v1/messages": "anthropic",
}


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of requests, 0 to 1, that end in each fault; `timeout` answers nothing at all.

    `cached` is the share of answers whose prompt came from the provider's own cache in part.
    """

    rate_limited: float = 0.0
    server: float = 0.0
    timeout: float = 0.0
    refusal: float = 0.0
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class Served:
    """One request as this server saw it. `usage` is what was billed: None for an error."""

    at_ms: int
    wire: str
    model: str
    status: int
    usage: Usage | None
    finish: str
    prompt: str


class StandInProvider:
    """Runs in a thread of its own between `start` and `stop`, or as a context manager.

    `answer(model, messages)` gives the text. `speedup` divides every latency; 0 answers at once. With
    `pause` every request waits until `resume`; `fail_next` puts faults before the drawn ones.
    """

    def __init__(
        self,
        answer: AnswerFor | None = None,
        *,
        port: int = 0,
        seed: int = 0,
        speedup: float = 1.0,
        rates: Rates | None = None,
        pace: Callable[[str], Pace] = pace_of,
    ) -> None:
        self._answer = answer or echo
        self._port = port
        self._rng = random.Random(seed)
        self._speedup = speedup
        self._rates = rates or Rates()
        self._pace = pace
        self._faults: deque[Fault] = deque()
        self._lock = threading.Condition()
        self._drops = 0
        self._arrived = 0
        self._connections = 0
        self._served: deque[Served] = deque(maxlen=200_000)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: asyncio.Event | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The base URL for Anthropic's clients."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's clients."""
        return self.url + "/v1"

    @property
    def served(self) -> list[Served]:
        """Requests that were answered, oldest first (the newest 200,000)."""
        with self._lock:
            return list(self._served)

    @property
    def arrived(self) -> int:
        """Requests that came in, answered or not."""
        return self._arrived

    @property
    def connections(self) -> int:
        """Connections that were opened to it since the start."""
        return self._connections

    def wait_arrived(self, count: int, timeout_s: float = 10.0) -> bool:
        """Wait until `count` requests came in since the start; False when they did not in time."""
        with self._lock:
            return self._lock.wait_for(lambda: self._arrived >= count, timeout_s)

    def fail_next(self, fault: Fault, times: int = 1) -> None:
        with self._lock:
            self._faults.extend([fault] * times)

    def drop_next(self, times: int = 1) -> None:
        """The next streams break off in the middle."""
        with self._lock:
            self._drops += times

    def pause(self) -> None:
        self._on_loop(lambda: self._event().clear())

    def resume(self) -> None:
        self._on_loop(lambda: self._event().set())

    def start(self) -> StandInProvider:
        """Raises Problem when the port can't be had."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="stand-in-provider", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            raise Problem(f"the stand-in provider can't listen on port {self._port}: {self._failure}")
        return self

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        stop = self._stop
        if stop is not None:
            self._on_loop(stop.set)
        thread.join(5)

    def __enter__(self) -> StandInProvider:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _event(self) -> asyncio.Event:
        assert self._open is not None
        return self._open

    def _on_loop(self, act: Callable[[], object]) -> None:
        if self._loop is None:
            raise Problem("the stand-in provider is not running: start it first")
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:
            pass  # It has stopped already.

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._stop = asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            self._connections += 1
            try:
                await self._converse(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass  # The client went away, or does not speak HTTP.
            except asyncio.CancelledError:
                pass  # The server stops.
            finally:
                connections.discard(task)
                writer.close()

        # asyncio sets TCP_NODELAY on every TCP connection of its own, so small answers leave at once.
        try:
            server = await asyncio.start_server(accept, "127.0.0.1", self._port)
        except OSError as error:
            self._failure = error
            ready.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        if connections:
            await asyncio.wait(connections, timeout=2)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await _read_head(reader)
            if head is None:
                return
            method, path, headers = head
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > _MAX_BODY or "transfer-encoding" in headers:
                await _write(writer, 411, {}, error_of("openai", 411, "a content-length is needed"))
                return
            body = await reader.readexactly(int(length))
            wire = _PATHS.get(path.partition("?")[0])
            if wire is None or method != "POST":
                await _write(writer, 404, {}, error_of("openai", 404, f"there is no {method} {path} here"))
            else:
                said = await self._reply(wire, body)
                if said.status == 200 and wants_stream(body):
                    await self._stream(writer, wire, said)
                    return
                await _write(writer, said.status, said.headers, said.body)
            if headers.get("connection", "").lower() == "close":
                return

    async def _reply(self, wire: Literal["openai", "anthropic"], body: bytes) -> Said:
        try:
            asked = json.loads(body)
            model, messages = str(asked["model"]), list(asked["messages"])
        except (ValueError, KeyError, TypeError):
            return Said(400, {}, error_of(wire, 400, "model and messages are needed"))
        with self._lock:
            self._arrived += 1
            fault = self._faults.popleft() if self._faults else self._draw()
            cached = self._rng.random() < self._rates.cached
            pace = self._pace(model)
            first_s, rate = pace.draw(self._rng)
            self._lock.notify_all()
        await self._event().wait()
        if fault == "timeout":
            await asyncio.Event().wait()
        if isinstance(fault, int):
            await self._sleep(first_s / 4)
            said = Said(fault, {"retry-after-ms": "1"} if fault == 429 else {}, error_of(wire, fault, ""))
        else:
            text = REFUSAL if fault == "refusal" else self._answer(model, messages)
            said = reply_of(wire, model, asked, text, cached, fault)
            written_s = said.usage.output / rate if said.usage else 0.0
            await self._sleep(first_s if wants_stream(body) else first_s + written_s)
        self._note(wire, model, messages, said)
        return said

    async def _stream(
        self, writer: asyncio.StreamWriter, wire: Literal["openai", "anthropic"], said: Said
    ) -> None:
        """The answer in events, at the pace of writing; the connection ends with it. After `drop_next` it
        ends in the middle."""
        dropped, self._drops = self._drops > 0, max(0, self._drops - 1)
        events = events_of(wire, said.body)
        rate = self._pace(json.loads(said.body)["model"]).draw(self._rng)[1]
        each_s = said.usage.output / rate / len(events) if said.usage else 0.0
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        for event in events[: len(events) // 2] if dropped else events:
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            await writer.drain()
            await self._sleep(each_s)
        if not dropped:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def _sleep(self, seconds: float) -> None:
        if self._speedup > 0:
            await asyncio.sleep(seconds / self._speedup)

    def _draw(self) -> Fault | None:
        at, rates = self._rng.random(), self._rates
        shares: tuple[tuple[Fault, float], ...] = (
            (429, rates.rate_limited),
            (500, rates.server),
            ("timeout", rates.timeout),
            ("refusal", rates.refusal),
        )
        for fault, share in shares:
            if at < share:
                return fault
            at -= share
        return None

    def _note(self, wire: str, model: str, messages: Sequence[Mapping[str, Any]], said: Said) -> None:
        prompt = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), "")
        served = Served(
            at_ms=time.time_ns() // 1_000_000,
            wire=wire,
            model=model,
            status=said.status,
            usage=said.usage,
            finish=said.finish,
            prompt=prompt if isinstance(prompt, str) else json.dumps(prompt),
        )
        with self._lock:
            self._served.append(served)


def wants_stream(body: bytes) -> bool:
    return json.loads(body).get("stream") is True


def echo(model: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """The plainest answer: what was asked, said back."""
    return f"{model} heard: {messages[-1].get('content') if messages else ''}"


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    method, _, target = first.partition(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (r.partition(":") for r in rest)}
    return method, target.rpartition(" ")[0], headers


async def _write(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes) -> None:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    await writer.drain()


_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Server Error"}
