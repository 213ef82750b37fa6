"""What the worker process costs over onnxruntime used directly, as ratios within one run.

`python -m benchmarks.embedding` prints a table; the targets are a first embedding in a fresh process
within 1.5x, and a warm short query near 1x. Each pair is measured alternately, so that a busy machine
slows both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from costconsole.embedding.embedder import DEFAULT_MODEL
from costconsole.embedding.local import LocalEmbedder
from costconsole.embedding.prepare import prepare

QUERY = "reset password"
PROMPT = "My parcel should have come on Monday, but the tracking page has not changed since then."
BULK = 256

# The least that a program without a worker has to do.
DIRECT = """
import os
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

class Direct:
    def __init__(self, folder, length):
        self.tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length=length)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        self.session = ort.InferenceSession(folder + "/model.onnx", options, providers=providers)

    def embed(self, text):
        read = self.tokenizer.encode(text)
        return self.session.run(None, {
            "input_ids": np.array([read.ids], dtype=np.int64),
            "attention_mask": np.array([read.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([read.type_ids], dtype=np.int64),
        })[0][0].tobytes()
"""
FIRST_DIRECT = """
Direct({folder!r}, {length}).embed({text!r})
"""
FIRST_WORKER = """
from costconsole.embedding.local import LocalEmbedder
LocalEmbedder({model!r}).embed([{text!r}])
"""
REPORT = """
import sys, time
print(time.time() - float(sys.argv[1]), flush=True)
"""


def first(script: str) -> float:
    """Milliseconds from before the process's creation to its first vector."""
    done = subprocess.run(
        [sys.executable, "-c", script + REPORT, repr(time.time())], capture_output=True, text=True, check=True
    )
    return float(done.stdout) * 1000


def timed(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1000


def alternate(
    one: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of both, measured in turn."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(one())
        theirs.append(other())
    return ours, theirs


def measure(model: str, rounds: int) -> list[dict[str, object]]:
    export = prepare(model)
    if not export.usable:
        sys.exit(f"There is no export of {model} to compare with: {export.reason}")
    folder, length = str(export.folder), export.meta["max_seq_length"]
    names: dict[str, object] = {}
    exec(DIRECT, names)
    direct = names["Direct"](folder, length)  # type: ignore[operator]
    local = LocalEmbedder(model)
    bulk = [f"{PROMPT[: 20 + number % 60]} {number}" for number in range(BULK)]
    rows = []

    def compare(what: str, ours: Callable[[], float], plain: Callable[[], float], times: int) -> None:
        a, b = alternate(ours, plain, times)
        ratio = statistics.median(a) / statistics.median(b)
        rows.append(
            {
                "what": what,
                "worker_ms": round(statistics.median(a), 2),
                "worker_p95_ms": round(sorted(a)[int(0.95 * len(a))], 2),
                "direct_ms": round(statistics.median(b), 2),
                "direct_p95_ms": round(sorted(b)[int(0.95 * len(b))], 2),
                "ratio": round(ratio, 3),
            }
        )

    first_worker = FIRST_WORKER.format(model=model, text=QUERY)
    first_direct = DIRECT + FIRST_DIRECT.format(folder=folder, length=length, text=QUERY)
    first(first_worker), first(first_direct)
    compare("first, fresh process", lambda: first(first_worker), lambda: first(first_direct), rounds)
    local.embed([QUERY])
    direct.embed(QUERY)
    for what, text in (("warm, short query", QUERY), ("warm, prompt", PROMPT)):
        compare(
            what,
            lambda text=text: timed(lambda: local.embed([text])),  # type: ignore[misc]
            lambda text=text: timed(lambda: direct.embed(text)),  # type: ignore[misc]
            30 * rounds,
        )

    async def one_loop() -> None:
        async def ask() -> float:
            begin = time.perf_counter()
            await local.aembed([QUERY])
            return (time.perf_counter() - begin) * 1000

        ours, theirs = [], []
        for _ in range(30 * rounds):
            ours.append(await ask())
            theirs.append(timed(lambda: direct.embed(QUERY)))
        drawn = iter(ours), iter(theirs)
        compare("warm, short, aembed", lambda: next(drawn[0]), lambda: next(drawn[1]), 30 * rounds)

    asyncio.run(one_loop())
    compare(
        f"bulk, {BULK} texts",
        lambda: timed(lambda: local.embed(bulk)),
        lambda: timed(lambda: [direct.embed(text) for text in bulk]),
        max(3, rounds // 3),
    )
    local.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rounds", type=int, default=9, help="fresh processes of each kind")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = measure(chosen.model, chosen.rounds)
    if chosen.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'':22}{'worker ms':>18}{'onnxruntime ms':>18}{'ratio':>8}")
    print(f"{'':22}{'p50':>9}{'p95':>9}{'p50':>9}{'p95':>9}")
    for row in rows:
        print(
            f"{row['what']:22}{row['worker_ms']:9.1f}{row['worker_p95_ms']:9.1f}"
            f"{row['direct_ms']:9.1f}{row['direct_p95_ms']:9.1f}{row['ratio']:8.2f}"
        )


if __name__ == "__main__":
    main()
