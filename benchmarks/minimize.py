"""What each rule of prompt minimization saves, and how fast it is.

    python -m benchmarks.minimize

Samples are those of the tests. Savings are in tokens of gpt-4o; the cumulative column is what remains to be
paid. Speed: a megabyte of several kinds of text, hostile ones among them; seconds
are of this thread's CPU.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from costconsole.ledger.tokens import count
from costconsole.prompt.document import Context, Document, Level, Rule, joined
from costconsole.prompt.messages import PromptMinimizer
from costconsole.prompt.minimize import minimize
from costconsole.prompt.rules import (
    RULES,
    blanks,
    boilerplate,
    code_comments,
    comments,
    email,
    html,
    json_compact,
    repeats,
    tables,
    whitespace,
)
from costconsole.prompt.segments import segments

SAMPLES = Path(__file__).parent.parent / "tests" / "prompt" / "samples"
MODEL = "gpt-4o"
BOILERPLATE = ("You are a helpful, .*", "Always be polite .*")


def sample(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def rows(indent: int | None = 4) -> str:
    """Twenty records as JSON."""
    people = [
        {
            "id": 1_000 + n,
            "name": f"Person {n}",
            "email": f"person{n}@mail.example",
            "active": n % 3 != 0,
            "score": n * 1.25,
            "manager": None if n % 4 == 0 else 1_000 + n // 4,
            "tags": [] if n % 2 else ["new", "north"],
        }
        for n in range(20)
    ]
    return json.dumps(people, indent=indent)


def escaped() -> str:
    return json.dumps({"text": "今天的天气很好，我们一起去公园散步，大家都很高兴。" * 5})


def of_rule(text: str, rules: Iterable[Rule], level: Level = "strong", topics: tuple[str, ...] = ()) -> str:
    """`text` after some rules alone."""
    context = Context(level=level, topics=frozenset(topics), boilerplate=boilerplate.compiled(BOILERPLATE))
    for rule in rules:
        document: Document = segments(text)
        changed = rule.apply(document, context)
        text = text if changed is None else joined(changed)
    return text


SAVINGS: tuple[tuple[str, Callable[[], str], tuple[Rule, ...], Level, tuple[str, ...], float], ...] = (
    ("mail: white space", lambda: sample("mail.txt"), (whitespace.RULE, blanks.RULE), "safe", (), 2.7),
    ("mail: e-mail", lambda: sample("mail.txt"), (email.RULE,), "strong", (), 78.0),
    ("python: comments", lambda: sample("code.md"), (code_comments.RULE,), "strong", (), 30.5),
    ("json: 20 rows", rows, (json_compact.RULE,), "safe", (), 34.0),
    ("json: escapes", escaped, (json_compact.RULE,), "safe", (), 83.0),
    ("html: as html", lambda: sample("page.html"), (html.RULE,), "strong", ("html",), 23.0),
    ("html: as markdown", lambda: sample("page.html"), (html.RULE,), "strong", (), 85.0),
    ("rag: white space", lambda: sample("rag.md"), (whitespace.RULE, blanks.RULE), "safe", (), 0.7),
    ("rag: tables", lambda: sample("rag.md"), (tables.RULE,), "safe", (), 5.3),
    ("rag: repeats", lambda: sample("rag.md"), (repeats.RULE,), "safe", (), 11.0),
    ("rag: comments", lambda: sample("rag.md"), (comments.RULE,), "safe", (), 0.0),
    ("rag: boilerplate", lambda: sample("rag.md"), (boilerplate.RULE,), "safe", (), 5.0),
    (
        "rag: all safe",
        lambda: sample("rag.md"),
        tuple(rule for rule in RULES if "safe" in rule.levels),
        "safe",
        (),
        26.0,
    ),
)
"""(what, text, rules, level, topics, per cent that the same rule saved on comparable published samples)"""


def savings() -> None:
    print(f"{'rule':<20} {'before':>7} {'after':>7} {'saved':>8} {'compare':>8}")
    for name, make, rules, level, topics, compared in SAVINGS:
        text = make()
        before, after = count(text, MODEL)[0], count(of_rule(text, rules, level, topics), MODEL)[0]
        share = 100 * (before - after) / before
        print(f"{name:<20} {before:>7,} {after:>7,} {share:>6.1f} % {compared:>6.1f} %")


def texts() -> dict[str, str]:
    """A megabyte each, by kind."""
    mixed = sample("rag.md") + "\n" + sample("code.md") + "\n" + sample("mail.txt") + "\n"
    size = 1_000_000
    return {
        "mixed prompt": (mixed * (size // len(mixed) + 1))[:size],
        "prose": ("The parcel  arrived late, and nobody could say why. " * 6 + "\n\n\n") * 3_100,
        "json": json.dumps(json.loads(rows()) * 150, indent=2),
        "html": sample("page.html") * (size // len(sample("page.html"))),
        "mail": sample("mail.txt") * (size // len(sample("mail.txt"))),
        "one line": "word  and word " * 66_000,
        "log": "2026-03-03 16:20:01  INFO   worker-7   took  12 ms\n" * 19_600,
        "backticks": "`" * size,
        "odd backticks": "\n".join("`" * (i % 900 + 1) + "x" for i in range(2_200)),
        "open comments": "text <!-- \n" * 90_000,
        "nested quotes": "> " * 500_000,
        "quote marks": "\"' " * 333_000,
        "deep json": "[" * 500_000 + "]" * 500_000,
        "broken json": "[1,\n" * 250_000,
        "open tags": "<div " * 200_000,
        "deep html": "<div>\n" * 166_000 + "</div>",
        "pipes": "|a|b|\n|-|-|\n" * 83_000,
        "newlines": "a\n\n\n" * 250_000,
        "spaces": " " * size + "x",
        "fences": "```\ncode\n" * 111_000,
        "wrote": "On Monday somebody\n" * 52_000,
    }


def speed() -> None:
    count("", MODEL)
    print(f"\n{'text':<15} {'MB':>5} {'safe s':>8} {'strong s':>9} {'count s':>8} {'saved':>8}")
    for name, text in texts().items():
        taken: list[float] = []
        share = 0.0
        for level in ("safe", "strong"):
            started = time.thread_time()
            found = minimize(text, level=level, model=MODEL)  # type: ignore[arg-type]
            taken.append(time.thread_time() - started)
            share = 100 * found.saved / max(1, found.before)
        started = time.thread_time()
        count(text, MODEL)
        counted = time.thread_time() - started
        size = len(text.encode()) / 1e6
        print(f"{name:<15} {size:>5.2f} {taken[0]:>8.3f} {taken[1]:>9.3f} {counted:>8.3f} {share:>6.1f} %")


def gateway() -> None:
    """The minimizer of a gateway, for a message that it has seen and for a short one."""
    minimizer = PromptMinimizer(model=MODEL)
    count("", MODEL)
    calls = {
        "short": ({"role": "user", "content": "How long do I have to send a lamp back?"},),
        "seen": (
            {"role": "system", "content": sample("rag.md")},
            {"role": "user", "content": sample("mail.txt")},
        ),
    }
    print()
    for name, messages in calls.items():
        minimizer(messages)
        taken = []
        for _ in range(2_000):
            started = time.perf_counter()
            minimizer(messages)
            taken.append(time.perf_counter() - started)
        taken.sort()
        print(f"{name:<6} p50 {taken[1_000] * 1e6:5.1f} us   p99 {taken[1_980] * 1e6:5.1f} us")


if __name__ == "__main__":
    savings()
    speed()
    gateway()
