"""Streamed answers of the two wire formats, without any I/O: server-sent events in, text and a Reply out.

OpenAI: https://platform.openai.com/docs/api-reference/chat-streaming
Anthropic: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

import codecs
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from costconsole.gateway.wire import BadAnswer, Reply, Wire, read_reply

STREAM_PARAMS: dict[Wire, dict[str, Any]] = {
    # Without the option OpenAI tells no usage at all in a stream.
    "openai": {"stream": True, "stream_options": {"include_usage": True}},
    "anthropic": {"stream": True},
}
"""What a request says to be answered in a stream."""


class StreamFailed(Exception):
    """The provider reported an error within the stream; its body is the argument."""


class Events:
    """The data of server-sent events, from bytes in pieces of any size."""

    def __init__(self) -> None:
        # Pieces are cut anywhere, also within a character.
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._tail = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[str]:
        """The data of every event that is complete now."""
        text = self._tail + self._decode(piece)
        if text.endswith("\r"):  # Half of a CRLF, perhaps.
            text, held = text[:-1], "\r"
        else:
            held = ""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._tail = lines.pop() + held
        found = []
        for line in lines:
            if not line:
                if self._data:
                    found.append("\n".join(self._data))
                self._data = []
            elif line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))
        return found


class StreamReader(ABC):
    """Builds one answer from its stream.

    `feed` takes bytes and returns the text that they brought; `reply` is the answer as if it had come whole.
    Both raise BadAnswer for what is no stream of this wire (`reply` also for one that broke off), and `feed`
    raises StreamFailed for an error that the provider reports on the way. `text` is what came so far.
    """

    wire: Wire

    def __init__(self) -> None:
        self._events = Events()
        self._texts: list[str] = []
        self.ended = False

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def feed(self, piece: bytes) -> str:
        new = len(self._texts)
        for data in self._events.feed(piece):
            self._take(data)
        return "".join(self._texts[new:])

    def reply(self) -> Reply:
        if not self.ended:
            raise BadAnswer("the stream broke off before its end")
        body = json.dumps(self._whole(), separators=(",", ":"), ensure_ascii=False)
        return read_reply(self.wire, body.encode("utf-8", "surrogatepass"))

    def _take(self, data: str) -> None:
        if data == "[DONE]":
            self.ended = True
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise BadAnswer("an event of the stream is not JSON") from None
        if not isinstance(event, dict):
            raise BadAnswer("an event of the stream is not a JSON object")
        if event.get("error"):
            raise StreamFailed(data.encode("utf-8", "replace"))
        self._event(event)

    @abstractmethod
    def _event(self, event: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def _whole(self) -> dict[str, Any]:
        """The body that an answer without streaming would have had."""


class _OpenAI(StreamReader):
    wire: Wire = "openai"

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: Any = None
        self._usage: Any = None

    def _event(self, event: Mapping[str, Any]) -> None:
        if not self._head:
            self._head = {name: event[name] for name in ("id", "created", "model") if name in event}
        self._usage = event.get("usage") or self._usage
        for choice in _dicts(event.get("choices")):
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta")
            if isinstance(delta, dict):
                self._delta(delta)
            self._finish = choice.get("finish_reason") or self._finish

    def _delta(self, delta: Mapping[str, Any]) -> None:
        if isinstance(delta.get("content"), str):
            self._texts.append(delta["content"])
        if isinstance(delta.get("refusal"), str):
            self._refusal.append(delta["refusal"])
        for part in _dicts(delta.get("tool_calls")):
            call = self._calls.setdefault(
                part.get("index", len(self._calls)),
                {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
            )
            call["id"] = part.get("id") or call["id"]
            function = part.get("function")
            if isinstance(function, dict):
                for name in ("name", "arguments"):
                    call["function"][name] += str(function.get(name) or "")

    def _whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self._refusal:
            message["refusal"] = "".join(self._refusal)
        if self._calls:
            message["tool_calls"] = [call for _index, call in sorted(self._calls.items())]
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        whole: dict[str, Any] = {**self._head, "object": "chat.completion", "choices": [choice]}
        return whole | ({"usage": self._usage} if isinstance(self._usage, dict) else {})


class _Anthropic(StreamReader):
    wire: Wire = "anthropic"

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, list[str]] = {}
        self._usage: dict[str, Any] = {}

    def _event(self, event: Mapping[str, Any]) -> None:
        kind, index = event.get("type"), event.get("index", 0)
        if kind == "message_start" and isinstance(event.get("message"), dict):
            self._message = dict(event["message"])
            self._use(self._message.get("usage"))
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            self._blocks[index] = dict(event["content_block"])
            self._say(index, event["content_block"].get("text"), fresh=True)
        elif kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            self._delta(index, event["delta"])
        elif kind == "message_delta" and isinstance(event.get("delta"), dict):
            self._message |= event["delta"]
            self._use(event.get("usage"))
        elif kind == "message_stop":
            self.ended = True

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._blocks.setdefault(index, {"type": "text", "text": ""})
        kind = delta.get("type")
        if kind == "text_delta":
            self._say(index, delta.get("text"))
        elif kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(str(delta.get("partial_json") or ""))
        elif kind in ("thinking_delta", "signature_delta"):
            name = str(kind).removesuffix("_delta")
            block[name] = str(block.get(name) or "") + str(delta.get(name) or "")

    def _say(self, index: int, text: object, *, fresh: bool = False) -> None:
        if isinstance(text, str) and text:
            self._texts.append(text)
            if not fresh:
                self._blocks[index]["text"] = str(self._blocks[index].get("text") or "") + text

    def _use(self, usage: object) -> None:
        # The last figures are the sums: each event tells what it knows.
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _whole(self) -> dict[str, Any]:
        for index, parts in self._inputs.items():
            try:
                self._blocks[index]["input"] = json.loads("".join(parts) or "{}")
            except ValueError:
                raise BadAnswer("the input of a tool call in the stream is not JSON") from None
        blocks = [block for _index, block in sorted(self._blocks.items())]
        whole = {**self._message, "content": blocks}
        return whole | ({"usage": self._usage} if self._usage else {})


def stream_reader(wire: Wire) -> StreamReader:
    return _OpenAI() if wire == "openai" else _Anthropic()


def _dicts(found: object) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
