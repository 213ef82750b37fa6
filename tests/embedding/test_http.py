"""The HTTP embedder against a real server on the loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from costconsole.domain.errors import ConnectionProblem, Problem, TimeoutProblem, UsageProblem
from costconsole.embedding.embedder import floats, require_dims
from costconsole.embedding.http import HttpEmbedder

Reply = tuple[int, dict[str, str], bytes]


def vector_of(text: str) -> list[float]:
    return [float(len(text)), 1.0, 2.0]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    data = [{"index": at, "embedding": vector_of(text)} for at, text in enumerate(request["input"])]
    return {"data": data, "usage": {"prompt_tokens": 10 * len(data)}}


def ok(document: object) -> Reply:
    return 200, {}, json.dumps(document).encode()


@dataclass
class Server:
    """Answers from `script` first, then as an embedding server does; keeps what it was sent."""

    script: list[Callable[[dict[str, Any]], Reply] | Reply] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    held: threading.Event = field(default_factory=threading.Event)

    def reply(self, request: dict[str, Any]) -> Reply:
        step = self.script.pop(0) if self.script else lambda asked: ok(answer(asked))
        return step if isinstance(step, tuple) else step(request)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            state.requests.append(request)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            state.paths.append(self.path)
            status, headers, content = state.reply(request)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None: ...

    class Listener(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            """A client that gave up is part of some tests."""

    listener = Listener(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{listener.server_port}/v1"
    yield state
    state.held.set()
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def remote(server: Server) -> Iterator[HttpEmbedder]:
    embedder = HttpEmbedder(server.url, "some-model", retries=2)
    yield embedder
    embedder.close()


def test_the_request_is_openais_and_the_vectors_are_normalized(server: Server, remote: HttpEmbedder) -> None:
    (made,) = remote.embed(["hello"])
    assert server.paths == ["/v1/embeddings"]
    assert server.requests == [{"model": "some-model", "input": ["hello"], "encoding_format": "float"}]
    norm = (5.0**2 + 1 + 4) ** 0.5
    assert list(floats(made.vector)) == pytest.approx([5 / norm, 1 / norm, 2 / norm])
    assert (made.tokens, made.truncated) == (10, False)
    assert (remote.dims, remote.status) == (3, "ready")


def test_answers_are_ordered_by_their_index(server: Server, remote: HttpEmbedder) -> None:
    def shuffled(request: dict[str, Any]) -> Reply:
        document = answer(request)
        document["data"].reverse()
        return ok(document)

    server.script = [shuffled]
    texts = ["a", "bbb", "cc"]
    assert [item.vector for item in remote.embed(texts)] == [remote.embed([text])[0].vector for text in texts]


def test_base64_vectors_are_read_too(server: Server, remote: HttpEmbedder) -> None:
    packed = base64.b64encode(struct.pack("<3f", 0.0, 3.0, 4.0)).decode()
    server.script = [ok({"data": [{"index": 0, "embedding": packed}]})]
    (made,) = remote.embed(["x"])
    assert list(floats(made.vector)) == pytest.approx([0.0, 0.6, 0.8])


def test_tokens_of_a_batch_add_up_to_the_servers_count(server: Server, remote: HttpEmbedder) -> None:
    made = remote.embed(["a" * 4, "b" * 40, "c" * 4])
    assert sum(item.tokens for item in made) == 30
    assert made[1].tokens > made[0].tokens


def test_without_usage_four_bytes_are_a_token(server: Server, remote: HttpEmbedder) -> None:
    server.script = [ok({"data": [{"index": 0, "embedding": [1.0]}]})]
    (made,) = remote.embed(["ä" * 10])
    assert made.tokens == 5


def test_many_texts_go_in_batches_and_hostile_ones_go_through(server: Server) -> None:
    remote = HttpEmbedder(server.url, "m", batch_texts=2)
    made = remote.embed(["a", "\ud800", "", "\x00", "ccccc"])
    assert [request["input"] for request in server.requests] == [["a", "?"], [" ", "\x00"], ["ccccc"]]
    assert len(made) == 5
    assert remote.embed([]) == []
    remote.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again(server: Server, remote: HttpEmbedder, status: int) -> None:
    server.script = [(status, {"retry-after": "0"}, b"busy"), (status, {"retry-after": "0"}, b"busy")]
    assert len(remote.embed(["x"])) == 1
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_named_with_its_code(server: Server, remote: HttpEmbedder) -> None:
    busy = (429, {"retry-after": "0"}, json.dumps({"error": {"code": "insufficient_quota"}}).encode())
    server.script = [busy] * 3
    with pytest.raises(ConnectionProblem, match=r"127\.0\.0\.1:\d+ .*HTTP 429, insufficient_quota"):
        remote.embed(["x"])
    assert remote.status.startswith("failed: ")
    assert len(server.requests) == 3


def test_a_wait_beyond_the_limit_is_not_waited_for(server: Server, remote: HttpEmbedder) -> None:
    server.script = [(429, {"retry-after": "3600"}, b"")]
    with pytest.raises(ConnectionProblem, match="asks to wait 3600 s"):
        remote.embed(["x"])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"<html>not json</html>",
        b"[]",
        b"{}",
        b'{"data": []}',
        b'{"data": [{"index": 5, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": [0.0, 0.0]}]}',
        b'{"data": [{"index": 0, "embedding": [NaN]}]}',
        b'{"data": [{"index": 0, "embedding": "no base64!"}]}',
        b'{"data": [{"index": 0, "embedding": {"a": 1}}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1]}]}',
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_none_is_a_sentence(server: Server, remote: HttpEmbedder, content: bytes) -> None:
    server.script = [(200, {}, content)]
    with pytest.raises(Problem, match=r"127\.0\.0\.1:\d+ sent no list of 1 embeddings.*OpenAI-compatible"):
        remote.embed(["x"])


def test_vectors_that_change_their_length_are_an_error(server: Server, remote: HttpEmbedder) -> None:
    remote.embed(["x"])
    server.script = [ok({"data": [{"index": 0, "embedding": [1.0, 2.0]}]})]
    with pytest.raises(Problem, match="3-dimensional vectors before and 2-dimensional"):
        remote.embed(["x"])


def test_an_index_of_other_dimensions_is_an_error(remote: HttpEmbedder) -> None:
    remote.embed(["x"])
    with pytest.raises(
        Problem, match="index q holds 384-dimensional vectors, but the model some-model makes 3"
    ):
        require_dims(remote, 384, "index q")


def test_the_key_comes_from_the_environment_and_is_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = HttpEmbedder(server.url, "m", api_key_env="EMBED_KEY")
    with pytest.raises(UsageProblem, match="EMBED_KEY"):
        remote.embed(["x"])
    monkeypatch.setenv("EMBED_KEY", "sk-secret-1")
    remote.embed(["x"])
    assert server.headers[-1]["authorization"] == "Bearer sk-secret-1"
    server.script = [(401, {}, b'{"error": {"message": "wrong key sk-secret-1", "code": "sk-secret-1 bad"}}')]
    with pytest.raises(UsageProblem, match="refuses the key in EMBED_KEY") as caught:
        remote.embed(["x"])
    assert "sk-secret" not in str(caught.value)
    monkeypatch.setenv("EMBED_KEY", "sk-secret-1\n")
    with pytest.raises(UsageProblem, match="EMBED_KEY") as caught:
        remote.embed(["x"])
    assert "sk-secret" not in str(caught.value)
    remote.close()


@pytest.mark.parametrize(
    ("status", "said"), [(404, "knows no model some-model"), (400, "refuses the request")]
)
def test_a_refusal_is_not_repeated(server: Server, remote: HttpEmbedder, status: int, said: str) -> None:
    server.script = [(status, {}, b"a text that quotes the prompt: secret plans")]
    with pytest.raises(Problem, match=said) as caught:
        remote.embed(["secret plans"])
    assert "secret plans" not in str(caught.value)
    assert len(server.requests) == 1


def test_no_server_is_a_sentence_without_the_urls_password() -> None:
    remote = HttpEmbedder("http://user:hidden@127.0.0.1:9/v1", "m", retries=0)
    with pytest.raises(ConnectionProblem, match=r"127\.0\.0\.1:9 can't be reached") as caught:
        remote.embed(["x"])
    assert "hidden" not in str(caught.value)
    remote.close()


def test_a_server_that_is_silent_times_out(server: Server) -> None:
    def hold(request: dict[str, Any]) -> Reply:
        server.held.wait(20)
        return ok(answer(request))

    server.script = [hold]
    remote = HttpEmbedder(server.url, "m", timeout_s=0.2, retries=0)
    with pytest.raises(TimeoutProblem, match=r"didn't answer within 0\.2 s"):
        remote.embed(["x"])
    remote.close()


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host/v1", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageProblem, match="embedding_url"):
        HttpEmbedder(url, "m")


@pytest.mark.parametrize("suffix", ["", "/", "/embeddings", "/embeddings/"])
def test_the_base_may_end_as_it_likes(server: Server, suffix: str) -> None:
    remote = HttpEmbedder(server.url + suffix, "m")
    remote.embed(["x"])
    assert server.paths == ["/v1/embeddings"]
    remote.close()


def test_event_loops_share_an_embedder(server: Server, remote: HttpEmbedder) -> None:
    async def ask() -> list[bytes]:
        made = await asyncio.gather(*(remote.aembed([text]) for text in ("a", "bb", "ccc")))
        return [item.vector for (item,) in made]

    server.script = [(503, {"retry-after": "0"}, b"")]
    expected = [item.vector for item in remote.embed(["a", "bb", "ccc"])]
    assert asyncio.run(ask()) == expected
    assert asyncio.run(ask()) == expected


def test_starting_learns_the_dimensions_in_the_background(server: Server, remote: HttpEmbedder) -> None:
    asked = threading.Event()

    def reply(request: dict[str, Any]) -> Reply:
        asked.set()
        return ok(answer(request))

    server.script = [reply]
    remote.start()
    assert asked.wait(20)
    remote.embed(["x"])
    assert remote.dims == 3
