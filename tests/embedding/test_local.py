"""The real local model through its worker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from costconsole.domain.errors import Problem, UsageProblem
from costconsole.embedding.embedder import Embedding, cosine, floats
from costconsole.embedding.local import LocalEmbedder


def test_meaning_decides_similarity(embedder: LocalEmbedder) -> None:
    asked, paraphrase, other = embedder.embed(
        ["How do I reset my password?", "How can I reset my password?", "What's the weather in Paris?"]
    )
    assert cosine(asked.vector, paraphrase.vector) > 0.95
    assert cosine(asked.vector, other.vector) < 0.3


def test_vectors_are_normalized_float32_of_the_models_dimensions(embedder: LocalEmbedder) -> None:
    (answer,) = embedder.embed(["hello"])
    assert len(answer.vector) == 384 * 4
    assert sum(x * x for x in floats(answer.vector)) == pytest.approx(1.0, abs=1e-5)
    assert embedder.dims == 384
    assert embedder.status == "ready"
    assert embedder.name == "all-MiniLM-L6-v2"


def test_a_long_text_is_counted_whole_and_marked_as_cut(embedder: LocalEmbedder) -> None:
    # [CLS] and [SEP] take two of the 256 places; "word" is one piece.
    fits, cut = embedder.embed(["word " * 254, "word " * 1000])
    assert (fits.tokens, fits.truncated) == (256, False)
    assert (cut.tokens, cut.truncated) == (1002, True)
    (huge,) = embedder.embed(["word " * 100_000])
    assert huge.truncated
    assert huge.tokens == pytest.approx(100_002, rel=0.01)


def test_only_the_beginning_of_a_cut_text_counts(embedder: LocalEmbedder) -> None:
    one, other = embedder.embed(["word " * 254 + "apple", "word " * 254 + "pear " * 500])
    assert one.truncated
    assert one.vector == other.vector


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "a\x00b", "\ud800", "🙂👩‍👩‍👧", "\x1b[31m", "\u202e", "\ufeff", "x" * 10_000]
)
def test_any_text_gets_a_vector(embedder: LocalEmbedder, text: str) -> None:
    (answer,) = embedder.embed([text])
    assert answer.dims == 384
    assert answer.tokens >= 2
    assert sum(x * x for x in floats(answer.vector)) == pytest.approx(1.0, abs=1e-5)


def test_no_texts_need_no_worker() -> None:
    idle = LocalEmbedder()
    assert idle.embed([]) == []
    assert idle.status == "off"


def test_one_text_instead_of_a_list_is_a_mistake(embedder: LocalEmbedder) -> None:
    with pytest.raises(TypeError):
        embedder.embed("hello")


def test_a_thousand_texts_come_back_in_their_order(embedder: LocalEmbedder) -> None:
    texts = [f"{'padding ' * (number * 7 % 11)}number {number}" for number in range(1000)]
    answers = embedder.embed(texts)
    assert len(answers) == 1000
    for number in (0, 1, 499, 998, 999):
        (alone,) = embedder.embed([texts[number]])
        assert cosine(alone.vector, answers[number].vector) > 0.99999
        assert alone.tokens == answers[number].tokens


async def test_a_single_text_overtakes_a_bulk_request(embedder: LocalEmbedder) -> None:
    bulk = asyncio.create_task(
        embedder.aembed([f"a text of the bulk request, number {n}" for n in range(600)])
    )
    await embedder.aembed(["first"])
    await embedder.aembed(["second"])
    assert not bulk.done()
    assert len(await bulk) == 600


async def test_a_cancelled_request_leaves_the_others_alone(embedder: LocalEmbedder) -> None:
    bulk = asyncio.create_task(embedder.aembed([f"text {n}" for n in range(300)]))
    await embedder.aembed(["q"])
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk
    (expected,) = await embedder.aembed(["after"])
    assert (await embedder.aembed(["after", "after"]))[0].tokens == expected.tokens


def test_two_event_loops_and_a_thread_share_one_worker(embedder: LocalEmbedder) -> None:
    texts = [f"shared {number}" for number in range(8)]
    expected = embedder.embed(texts)
    pid = embedder.worker_pid
    answers: dict[int, list[Embedding]] = {}

    async def ask() -> list[Embedding]:
        return [answer for (answer,) in await asyncio.gather(*(embedder.aembed([text]) for text in texts))]

    def run(number: int) -> None:
        answers[number] = asyncio.run(ask()) if number < 2 else [embedder.embed([text])[0] for text in texts]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert embedder.worker_pid == pid
    for number in range(3):
        pairs = zip(answers[number], expected, strict=True)
        assert all(cosine(a.vector, b.vector) > 0.99999 for a, b in pairs)


def test_remembered_texts_are_not_embedded_again() -> None:
    local = LocalEmbedder(remember=2)
    try:
        first, second = local.embed(["first", "second"])
        assert local.embed(["first"])[0] is first
        mixed = local.embed(["third", "first"])
        assert mixed[1] is first
        assert local.embed(["second"])[0] is not second
    finally:
        local.close()


def test_closing_is_final_and_said() -> None:
    local = LocalEmbedder()
    local.close()
    assert local.status == "off"
    with pytest.raises(Problem, match="closed"):
        local.embed(["x"])


def test_a_path_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"nothing-here is not a sentence-transformers folder"):
        LocalEmbedder(str(tmp_path / "nothing-here"))


@pytest.mark.parametrize("model", ["", " ", "~nobody-of-this-name/model"])
def test_a_name_that_is_none_is_refused(model: str) -> None:
    with pytest.raises(UsageProblem, match="embedding model"):
        LocalEmbedder(model)


def test_a_model_that_is_nowhere_gets_one_sentence_with_the_next_step() -> None:
    local = LocalEmbedder("nobody/has-this-model")
    try:
        with pytest.raises(Problem, match=r"nobody/has-this-model is not on this machine.*or give a folder"):
            local.embed(["x"])
        assert local.status.startswith("failed: ")
        assert "nobody/has-this-model" in local.status
    finally:
        local.close()


def test_the_parent_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from costconsole.embedding.factory import make_embedder\n"
        "local = make_embedder()\n"
        "assert len(local.embed(['x'])[0].vector) == 1536\n"
        "heavy = {'numpy', 'onnxruntime', 'torch', 'tokenizers', 'sentence_transformers', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_nothing_is_written_or_reported_about_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime would leave an identifier of the device in the cache folder, and send it to its maker."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    embedder = LocalEmbedder()
    try:
        assert embedder.embed(["hello"])[0].dims == 384
    finally:
        embedder.close()
    assert [path.name for path in tmp_path.rglob("*") if "onnx" in path.name or path.name == "deviceid"] == []
