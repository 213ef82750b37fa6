"""A stand-in for a provider on loopback: chat, completions and embeddings, the same answers every time.

It knows nothing of this project, so that writers can run it under an interpreter that has only their library.
"""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMS = 384
ANSWERS = {
    "What is the capital of France?": "The capital of France is Paris.",
    "Say nothing.": "",
    "日本の首都はどこですか？": "日本の首都は東京です。🗼",
    "Wie heißt die Hauptstadt von Österreich?": "Wien – „Vindobona“ bei den Römern.\nAn der Donau.",
    "Show me an escape sequence.": "Red: \x1b[31mred\x1b[0m, null: \x00, bell: \x07, \u202egnp.exe, "
    "\\u0041 \\n {\"a\": 'b'}",
}


def answer_to(prompt: str) -> str:
    """What the stand-in says: its own words for some prompts, an echo for all others."""
    return ANSWERS.get(prompt, f"You said: {prompt}")


def vector_of(text: str) -> list[float]:
    """A vector that depends on the text alone, without any meaning."""
    state = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    numbers: list[float] = []
    while len(numbers) < DIMS:
        state = hashlib.sha256(state).digest()
        numbers += [number / 32768 for number in struct.unpack("<16h", state)]
    length = sum(number * number for number in numbers[:DIMS]) ** 0.5
    return [number / length for number in numbers[:DIMS]]


def small_vector(text: str) -> list[float]:
    """The first eight numbers of `vector_of`, as a unit vector."""
    numbers = vector_of(text)[:8]
    length = sum(number * number for number in numbers) ** 0.5
    return [number / length for number in numbers]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
            data = [
                {"object": "embedding", "index": at, "embedding": vector_of(str(text))}
                for at, text in enumerate(inputs)
            ]
            usage = {"prompt_tokens": 7, "total_tokens": 7}
            return self._say({"object": "list", "data": data, "model": asked["model"], "usage": usage})
        usage = {"prompt_tokens": 14, "completion_tokens": 7, "total_tokens": 21}
        common = {"id": "chatcmpl-1", "created": 1_795_000_000, "model": asked["model"]}
        if self.path.endswith("/chat/completions"):
            content = answer_to(_text(asked["messages"][-1]["content"]))
            if asked.get("stream"):
                return self._stream(common, content)
            message: dict[str, Any] = {"role": "assistant", "content": content}
            finish = "stop"
            if asked.get("tools"):
                call = {"name": "weather", "arguments": json.dumps({"city": "Köln"})}
                message = {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
                }
                finish = "tool_calls"
            answer = {"message": message, "finish_reason": finish}
            choices = [{"index": at, **answer} for at in range(asked.get("n") or 1)]
            return self._say({**common, "object": "chat.completion", "choices": choices, "usage": usage})
        prompt = asked["prompt"][0] if isinstance(asked["prompt"], list) else asked["prompt"]
        choices = [{"index": 0, "text": answer_to(prompt), "finish_reason": "stop", "logprobs": None}]
        return self._say({**common, "object": "text_completion", "choices": choices, "usage": usage})

    def _stream(self, common: dict[str, Any], content: str) -> None:
        parts = [content[: len(content) // 2], content[len(content) // 2 :]]
        chunks: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}]
        chunks += [{"delta": {"content": part}} for part in parts]
        chunks.append({"delta": {}, "finish_reason": "stop"})
        common["object"] = "chat.completion.chunk"
        lines = [{**common, "choices": [{"index": 0, "finish_reason": None, **chunk}]} for chunk in chunks]
        body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
        self._send(body.encode(), "text/event-stream")

    def _say(self, reply: dict[str, Any]) -> None:
        self._send(json.dumps(reply).encode(), "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> str:
    """Start it in a thread that ends with the process; its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/v1"
