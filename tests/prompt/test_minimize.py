"""What minimization may change and what it never may."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from costconsole.domain.errors import UsageProblem
from costconsole.ledger.tokens import count
from costconsole.prompt.document import Level, joined
from costconsole.prompt.minimize import LONGEST, minimize
from costconsole.prompt.segments import cells, segments
from tests.prompt.documents import json_documents, prompts, soup, tables

SAMPLES = Path(__file__).parent / "samples"
LEVELS = st.sampled_from(["safe", "strong"])
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sample(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def short(text: str, level: Level = "safe", **options: Any) -> str:
    return minimize(text, level=level, **options).text


def fences(text: str) -> list[str]:
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence"]


@MANY
@given(prompts() | soup, LEVELS)
def test_minimizing_twice_is_minimizing_once(text: str, level: Level) -> None:
    once = minimize(text, level=level)
    again = minimize(once.text, level=level)
    assert again.text == once.text
    assert not again.steps


@MANY
@given(prompts() | soup, LEVELS)
def test_the_figures_are_those_of_the_texts_and_never_grow(text: str, level: Level) -> None:
    found = minimize(text, level=level, model="gpt-4o")
    assert found.before == count(text, "gpt-4o")[0]
    assert found.after == count(found.text, "gpt-4o")[0]
    assert found.after <= found.before
    assert sum(step.tokens_saved for step in found.steps) == found.saved
    assert all(step.tokens_saved > 0 for step in found.steps)


@MANY
@given(prompts() | soup)
def test_the_segments_are_the_text(text: str) -> None:
    assert joined(segments(text)) == text


@MANY
@given(prompts())
def test_safe_leaves_every_fence_as_it_is(text: str) -> None:
    # Markdown's own reading, not ours: the fences that it finds before are there after, to the byte.
    after = fences(short(text))
    for fence in fences(text):
        if fence.strip():
            assert any(fence.rstrip() == other.rstrip() for other in after)


@MANY
@given(prompts())
def test_safe_leaves_numbers_addresses_and_quoted_strings(text: str) -> None:
    after = short(text)
    for found in re.findall(r"(?<!\w)\d[\d.]*|https?://\S+", text):
        assert found in after
    assert {"".join(q.split()) for q in re.findall(r'"as  it  was"', text)} <= {
        "".join(q.split()) for q in re.findall(r'"as  it  was"', after)
    }


@MANY
@given(json_documents())
def test_json_keeps_its_values_their_spelling_and_their_order(text: str) -> None:
    def parsed(source: str) -> Any:
        return json.loads(source, parse_int=str, parse_float=str, object_pairs_hook=list)

    assert parsed(short(text)) == parsed(text)


@MANY
@given(tables())
def test_tables_keep_their_cells_and_alignment(text: str) -> None:
    def table(source: str) -> list[tuple[str, str, Any]]:
        tokens = MarkdownIt().enable("table").parse(source)
        return [
            (token.type, token.content.strip(), token.attrs.get("style"))
            for token in tokens
            if token.type in ("th_open", "td_open", "inline", "tr_open")
        ]

    assert table(short("Prices:\n\n" + text)) == table("Prices:\n\n" + text)


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return  x\n\n\n\nprint(f(1))\n",
        "import os\n\n\n\ndef f():\n\tpass\n",
        'a:  1\nb:\n  - x   y\n\n\n\nc: "d  e"\n',
        "all: x\n\tgcc  -o   x\n\n\n\nclean:\n\trm  x\n",
        "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a  b\n-c   d\n+c  d\n \n\n\n",
        "2026-01-01 10:00:00  INFO   a    b\n2026-01-01 10:00:01  INFO   c    d",
        "NAME    AGE   CITY\nann     3     Oslo\nbob     44    Rome",
        '"""\na   b\n\n\n\nc   d\n"""',
        'He wrote: "first   line\n\n\n\nsecond   line"',
        "> quoted   text\n>   as it was",
        "<pre>\n a   b\n\n\n\n c\n</pre>",
        "x\ty\t1\nz\tw\t2",
        "~~~\na   b\n```\nc   d\n~~~",
        "- ```py\n  a  =  1\n\n\n\n  b = 2\n  ```",
        "> ```\n> a   b\n\n```\nc   d\n\n\n\ne\n```",
        "Use ``a  `  b`` and `c   d`",
        "/\\_/\\   /\\\n( o.o )   ^\n > ^ <    ~",
        "line one  \nline two",
    ],
)
def test_safe_leaves_text_whose_spaces_mean_something(text: str) -> None:
    assert short(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The lamp   came  back.\nIt   is fine.", "The lamp came back.\nIt is fine."),
        ("One.   \n\n\n\n   \n\nTwo.\n\n\n", "One.\n\nTwo."),
        ("One.\r\n\r\n\r\n\r\nTwo  three.\r\n", "One.\n\nTwo three."),
        ('He said "a  b" and   left.', 'He said "a  b" and left.'),
        ("Data:\n\n{\n  \"a\": 1.0,\n  \"a\": 1e5,\n  \"b\": 12345678901234567890\n}",
         'Data:\n\n{"a":1.0,"a":1e5,"b":12345678901234567890}'),
        ('{"a": "x  y", "b": "\\u00e4\\ud83d\\ude00\\u200b\\u0022"}', '{"a":"x  y","b":"ä😀\\u200b\\u0022"}'),
        ('{"a":  1}\n{"a":  2}\n', '{"a":1}\n{"a":2}'),
        ("Prices:\n\n| lamp   | price |\n|--------|------:|\n| a \\| b |  1.50 |",
         "Prices:\n\n|lamp|price|\n|-|-:|\n|a \\| b|1.50|"),
        ("Do it.\n\n<!-- markdownlint-disable -->\n\nNow.", "Do it.\n\nNow."),
        ("Do it.\n\n[//]: # (internal remark)\n\nNow.", "Do it.\n\nNow."),
    ],
)  # fmt: skip
def test_safe_takes_what_says_nothing(text: str, expected: str) -> None:
    assert short(text) == expected


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- Do not translate names. -->",
        "<!-- version 2 -->",
        "<!-- see https://a.example -->",
        '<!-- say "hello" -->',
        "<!-- answer in French -->",
    ],
)
def test_comments_that_may_speak_to_the_model_go_only_on_request(comment: str) -> None:
    text = f"Translate the letter below.\n\n{comment}\n\nDear Ann, the lamp is here."
    assert comment in short(text)
    assert comment not in short(text, "strong")


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("Is this JSON indented correctly?", '{\n "a": 1\n}'),
        ("What does the comment in this page say?", "<!-- markdownlint-disable -->"),
        (
            "Which passages are repeated?",
            "## Context\n\n" + "The lamp can be sent back within 30 days, clean.\n\n" * 2,
        ),
        ("How many blank lines are there?", "a\n\n\n\n\n\n\n\nb"),
        ("Which escape sequences does it use?", '{"a":"\\u00e4\\u00f6\\u00fc"}'),
    ],
)
def test_a_rule_stays_away_from_what_the_prompt_asks_about(question: str, rest: str) -> None:
    text = f"{question}\n\n{rest}"
    assert short(text).strip() == text.strip()


def test_repeated_context_is_given_once_but_examples_and_the_users_words_stay() -> None:
    passage = "Lamps can be sent back within 30 days of delivery, if they are clean."
    context = (
        f"<documents>\n{passage}\n\nGift cards can't be paid out.\n\n{passage}\n</documents>\n\nHow long?"
    )
    assert short(context).count(passage) == 1
    assert "Gift cards" in short(context)
    own = f"{passage}\n\nI said:\n\n{passage}\n\nWhy?"
    assert short(own).count(passage) == 2
    assert short(own, "strong").count(passage) == 1
    examples = "## Context\n\nQ: How long can a lamp be sent back?\nA: 30 days.\n\n" * 2
    assert short(examples, "strong").count("30 days") == 2


def test_lines_of_the_own_list_go_at_every_level_outside_of_code() -> None:
    code = "```\nYou are a helpful assistant.\n```\n"
    text = f"You are a helpful assistant.\nSort this.\n\n{code}\nSent from my phone"
    found = short(text, boilerplate=[r"You are a .*", r"(?i)sent FROM my \w+"])
    assert found == "Sort this.\n\n```\nYou are a helpful assistant.\n```\n"
    assert "Sort" in short("You are a fool. Sort this.", boilerplate=["You are a"])


@pytest.mark.parametrize("wrong", ["(unclosed", "(?=ahead)x", r"(a)\1"])
def test_a_wrong_expression_is_named(wrong: str) -> None:
    with pytest.raises(UsageProblem, match=r"expression 2 of minimize\.boilerplate") as caught:
        minimize("text", boilerplate=["fine", wrong])
    assert wrong in str(caught.value).replace("\\\\", "\\")


def test_a_catastrophic_expression_is_none() -> None:
    assert short("a" * 50_000 + "!\n\nkept", boilerplate=["(a+)+b", "(a|a)*c"]).endswith("kept")


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(UsageProblem, match="gentle"):
        minimize("text", level="gentle")  # type: ignore[arg-type]


def test_what_is_too_long_or_too_fine_is_left_and_says_so() -> None:
    long = "word  " * (LONGEST // 6 + 1)
    assert (found := minimize(long)).text == long
    assert "longer than" in found.skipped
    fine = "a\n\n\n" * 60_000
    assert (found := minimize(fine)).text == fine
    assert "pieces" in found.skipped
    assert minimize("  \n ").skipped


@pytest.mark.parametrize(
    "text",
    [
        "`" * 100_000,
        "\n".join("`" * (i % 900 + 1) + "x" for i in range(400)),
        "text <!-- \n" * 6_000,
        "<!--" * 20_000,
        "> " * 40_000,
        "\"' " * 30_000,
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "[1,\n" * 8_000,
        "<div " * 20_000,
        "<div>\n" * 15_000 + "</div>",
        "|" * 200_000,
        "|a|b|\n|-|-|\n" * 5_000,
        " " * 300_000 + "x",
        "x" + "\t" * 300_000 + "y\n",
        "```\ncode\n" * 6_000,
        "On Monday somebody\n" * 5_000,
        "word  and " * 10_000,
        "\ud800 lone  \n\n\n\n surrogate",
        "\x00\x01  \x1b[31m  \n\n\n\nred",
    ],
    ids=range(20),
)
@pytest.mark.timeout(20)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    for level in ("safe", "strong"):
        found = minimize(text, level=level)  # type: ignore[arg-type]
        assert minimize(found.text, level=level).text == found.text  # type: ignore[arg-type]


@MANY
@given(st.lists(st.sampled_from(["a", " b ", "c \\| d", "", "`x`", "\\"]), min_size=1, max_size=5))
def test_cells_are_those_that_were_written(row: list[str]) -> None:
    row = [cell for cell in row if cell != "\\"] or ["a"]
    assert cells("|" + "|".join(row) + "|") == [cell.strip() for cell in row]
