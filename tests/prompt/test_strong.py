"""The lossy rules: what they take, what they keep, and when they stay away."""

from __future__ import annotations

import ast

import pytest

from costconsole.prompt.minimize import minimize
from tests.prompt.test_minimize import sample, short


def saved(text: str, level: str = "strong", **options: object) -> float:
    found = minimize(text, level=level, **options)  # type: ignore[arg-type]
    return found.saved / found.before


@pytest.mark.parametrize(
    ("name", "level", "share"),
    [
        ("mail.txt", "strong", 0.76),
        ("code.md", "strong", 0.40),
        ("page.html", "strong", 0.90),
        ("rag.md", "safe", 0.25),
    ],
)
def test_samples_shrink_by_what_the_rules_are_known_for(name: str, level: str, share: float) -> None:
    assert saved(sample(name), level) >= share


def test_a_mail_keeps_its_headers_its_message_and_who_wrote_it() -> None:
    found = short(sample("mail.txt"), "strong")
    for kept in (
        "Sort this mail",
        "From: Marta",
        "Order 48213",
        "Two of the six lamps",
        "not whole lamps",
        "Marta Lindqvist",
    ):
        assert kept in found
    for gone in ("I hope this email", "Phone:", "confidential", "Jonas Weber", "Dear Sir", "hesitate"):
        assert gone not in found
    assert short(sample("mail.txt")).count("confidential") == 1


def test_a_question_below_a_mail_is_no_part_of_it() -> None:
    text = (
        "From: Ann <a@x.example>\nSubject: Lamps\n\nTwo lamps are broken.\n\n-----Original Message-----\n"
        "From: Bob <b@x.example>\nSubject: Lamps\n\nDid they arrive?\n\n"
        "What should we answer Ann, in two sentences?"
    )
    found = short(text, "strong")
    assert "What should we answer Ann, in two sentences?" in found
    assert "Two lamps are broken." in found
    assert "Did they arrive?" not in found


def test_several_mails_in_one_prompt_all_stay() -> None:
    mails = "".join(
        f"From: {who}@x.example\nTo: shop@x.example\nDate: Mon, 2 Mar 2026\nSubject: {what}\n\n"
        f"My {what} is broken.\n\n"
        for who, what in (("ann", "lamp"), ("bob", "chair"), ("cleo", "table"))
    )
    found = short("Sort these mails.\n\n" + mails, "strong")
    for what in ("lamp", "chair", "table"):
        assert f"My {what} is broken." in found


@pytest.mark.parametrize(
    "asked", ["Summarize the whole thread.", "What is the phone number of the sender? Phone numbers matter."]
)
def test_a_mail_stays_whole_when_its_trimmings_are_asked_for(asked: str) -> None:
    text = asked + sample("mail.txt").partition("technical.")[2]
    assert "Phone: +46" in short(text, "strong")


@pytest.mark.parametrize(
    "text",
    [
        "In her book the critic said this.\nOn Sunday, the poet wrote:\nRoses are red.\n\nDiscuss.",
        "From: a@x\nTo: b@x\n\nOn Mon, Jan 1 Ann wrote:\n\nThe deadline is Friday.\n\nWhen is it?",
        "From: a@x\nSubject: x\n\nThanks,\n\nwe need three things:\n- a\n- b",
        "From: x@y\nTo: z@y\n\nThis agreement is confidential. Disclosure to unauthorized persons is strictly"
        " prohibited.",
        "Fix this:\n\n<div>\n  {items.map(i => <li key={i}>{i}</li>)}\n  <p>a</p><p>b</p><p>c</p>\n</div>",
    ],
    ids=range(5),
)
def test_what_only_looks_like_trimmings_stays(text: str) -> None:
    assert short(text, "strong").split() == text.split()


def test_text_that_is_no_mail_keeps_its_ending() -> None:
    text = "Proofread this card.\n\nDear grandma,\n\nwe miss you.\n\nBest regards,\nTim\nand the whole family"
    assert short(text, "strong") == text


def test_python_keeps_its_tree_its_doc_strings_and_its_directives() -> None:
    text = (
        "Fix it.\n\n```python\n#!/usr/bin/env python\n# a note\nimport x  # noqa\n\n\ny = 1  # type: int\n"
        's = """\n# data\n\n"""\n\n\ndef f():\n    """Doc."""\n    # gone\n    return "#no"\n```\n'
    )
    found = short(text, "strong")
    before, after = (part.partition("```python\n")[2].partition("```")[0] for part in (text, found))
    assert ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    for kept in ("#!/usr/bin", "# noqa", "# type: int", "# data\n\n", '"""Doc."""', '"#no"'):
        assert kept in after
    for gone in ("# a note", "# gone"):
        assert gone not in after


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("js", 'let u = "http://a"; // gone\n// gone\nlet r = /\\/\\//; /* gone */\n',
         'let u = "http://a";\nlet r = /\\/\\//;\n'),
        ("c", "#include <x.h>\nint a; /* gone\n gone */ int b;\n// gone\n",
         "#include <x.h>\nint a; int b;\n"),
        ("sql", "SELECT /*+ INDEX(a) */ 1; /* gone */\n", "SELECT /*+ INDEX(a) */ 1;\n"),
        ("go", "//go:build linux\npackage a\n\n// gone\nvar s = `// kept`\n",
         "//go:build linux\npackage a\n\nvar s = `// kept`\n"),
        ("sql", "SELECT '-- kept' -- gone\nFROM t;\n", "SELECT '-- kept'\nFROM t;\n"),
        ("sh", "#!/bin/sh\necho '# kept' ${x#y} $# # gone\n", "#!/bin/sh\necho '# kept' ${x#y} $#\n"),
        ("rust", "/// Doc.\nfn f() {} // gone\n", "/// Doc.\nfn f() {}\n"),
        ("ts", "// @ts-ignore\nconst a: number = 1; // gone\n", "// @ts-ignore\nconst a: number = 1;\n"),
        ("yaml", "a: 1 # kept\n", "a: 1 # kept\n"),
        ("python", "def broken(:  # kept\n", "def broken(:  # kept\n"),
        ("", "x = 1 # kept\n", "x = 1 # kept\n"),
    ],
)  # fmt: skip
def test_comments_of_other_languages_go_by_their_lexers(language: str, code: str, expected: str) -> None:
    text = f"Find the bug.\n\n```{language}\n{code}```\n"
    assert short(text, "strong") == f"Find the bug.\n\n```{language}\n{expected}```\n"
    assert short(text) == text


def test_code_keeps_comments_that_are_asked_about() -> None:
    text = "Are the comments right?\n\n```python\nx = 1  # one\n```\n"
    assert short(text, "strong") == text


def test_fenced_json_is_compacted_on_request() -> None:
    text = 'Check.\n\n```json\n{\n  "a": 1.0,\n  "b": []\n}\n```\n'
    assert short(text, "strong") == 'Check.\n\n```json\n{"a":1.0,"b":[]}\n```\n'
    assert short(text) == text


def test_a_page_becomes_its_words() -> None:
    found = short("What is the deadline?\n\n" + sample("page.html"), "strong")
    assert found == (
        "What is the deadline?\n\n# Returns\n\nYou can send back any lamp within **30 days**.\n\n"
        "- Print the label from [your account](/account/labels).\n- Pack the lamp & its shade.\n\n"
        "Bulbs are *not* taken back."
    )


def test_a_page_stays_html_when_html_is_asked_about() -> None:
    found = short("Is this HTML accessible?\n\n" + sample("page.html"), "strong")
    for kept in ("<!DOCTYPE html>", "aria-label=Main", "<nav", "<footer", "track(event)", "max-width:60rem"):
        assert kept in found
    assert "content begins" not in found


def test_tables_and_code_of_a_page_survive() -> None:
    page = (
        "<div><h2>Prices</h2><table><tr><th>Lamp</th><th>Price</th></tr>"
        "<tr><td>A | B</td><td>1.50</td></tr></table>"
        "<pre>x  =  1\n\n\n\ny</pre><p>5 &lt; 6 and <code>a</code></p></div>"
    )
    assert short("Read this.\n\n" + page, "strong") == (
        "Read this.\n\n## Prices\n\n|Lamp|Price|\n|-|-|\n|A \\| B|1.50|\n\n"
        "```\nx  =  1\n\n\n\ny\n```\n\n5 < 6 and `a`"
    )


def test_safe_does_not_read_html() -> None:
    text = "Read.\n\n" + sample("page.html")
    assert short(text) == text
