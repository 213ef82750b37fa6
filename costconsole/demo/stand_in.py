"""The stand-in provider as a process of its own, and the traffic's handle on it.

A provider is somewhere else in life too; and loading the vocabularies that tokens are counted with takes
the better part of a second, in which the process that makes the calls would stand still.

`python -m costconsole.demo.stand_in SEED` prints its base URL and reads lines of JSON, `[prompt, answer]`,
from standard input: what to say to what. It ends with the end of that file.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from costconsole.demo.corpus import Corpus, Intent, filled, load_corpus
from costconsole.domain.errors import Problem

_UNHURRIED_S = 4.0


class Answers:
    """The answer that belongs to a question.

    It remembers the latest `size` calls; a question from elsewhere gets the answer of the intent that has
    the wording with which it shares most words.
    """

    def __init__(self, corpus: Corpus | None = None, size: int = 5000) -> None:
        self._corpus = corpus or load_corpus()
        self._size = size
        self._known: OrderedDict[str, str] = OrderedDict()

    def remember(self, prompt: str, answer: str) -> None:
        self._known[prompt] = answer
        self._known.move_to_end(prompt)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def __call__(self, _model: str, messages: Sequence[Mapping[str, Any]]) -> str:
        last = messages[-1].get("content") if messages else ""
        prompt = last if isinstance(last, str) else ""
        return self._known.get(prompt) or self._closest(prompt)

    def _closest(self, prompt: str) -> str:
        words = _words(prompt)

        def shared(intent: Intent) -> float:
            return max(len(words & own) / len(words | own) for own in map(_words, intent.wordings))

        best = max(self._corpus.intents, key=shared)
        values = {
            name: next((v for v in choices if v.lower() in prompt.lower()), choices[0])
            for name, choices in self._corpus.slots.items()
        }
        return filled(best.answer, values)


def _words(text: str) -> frozenset[str]:
    return frozenset("".join(c if c.isalnum() else " " for c in text.lower()).split()) or frozenset({""})


class StandIn:
    """Starts the process at once; `url` waits for it. It ends with `close`, or with this process."""

    def __init__(self, seed: int) -> None:
        self._url = ""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "costconsole.demo.stand_in", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    @property
    def url(self) -> str:
        """The base URL for Anthropic's clients; those of OpenAI want `/v1` after it. Raises Problem."""
        if not self._url:
            assert self._process.stdout is not None
            self._url = self._process.stdout.readline().decode().strip()
        if not self._url:
            raise Problem("The demo's stand-in provider did not start: run `costconsole doctor`.")
        return self._url

    def tell(self, prompt: str, answer: str) -> None:
        """What it shall answer when it is asked this. What got lost is answered by likeness."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps([prompt, answer]).encode() + b"\n")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def main() -> None:
    from costconsole.demo.provider import Rates, StandInProvider
    from costconsole.ledger.tokens import warm

    answers = Answers()
    rates = Rates(rate_limited=0.02, server=0.012, timeout=0.001, refusal=0.004, cached=0.10)
    provider = StandInProvider(answers, seed=int(sys.argv[1]), rates=rates).start()
    sys.stdout.write(provider.url + "\n")
    sys.stdout.flush()
    # The first calls are counted by length: loading at once would take the processor from the screen.
    threading.Timer(_UNHURRIED_S, warm).start()
    for line in sys.stdin.buffer:
        answers.remember(*json.loads(line))


if __name__ == "__main__":
    try:
        main()
    finally:
        # Whoever asked is gone: no answer is waited for.
        os._exit(0)
