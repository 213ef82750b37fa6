"""Prompts put together from pieces of every kind, for properties that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        "the",
        "lamp",
        "came",
        "back",
        "in 30 days,",
        "not",
        "1.50",
        "Graz.",
        "it's",
        "naïve",
        "漢字",
        "(see",
        "below)",
    ]
)
GAPS = st.sampled_from([" ", "  ", "   ", " \t", " "])


@st.composite
def sentences(draw: st.DrawFn) -> str:
    words = draw(st.lists(WORDS, min_size=1, max_size=14))
    text = words[0]
    for word in words[1:]:
        text += draw(GAPS) + word
    return text + draw(
        st.sampled_from(["", ".", "  ", ".   ", "\r", ' "as  it  was"', " `a  b`", " <!-- x -->"])
    )


paragraphs = st.lists(sentences(), min_size=1, max_size=4).map("\n".join)

code = st.sampled_from(
    [
        "x  =  1   # why\n\n\n\ny = 2",
        'def f(a):\n    """Doc  string."""\n\n\n    return  a   # back',
        's = """\n# data\n\n\n\n"""\n# gone\nz = 3',
        "a   b\n\n\n\n  c",
        '<!-- inside -->\n{ "a" :  1 }',
        'let s = "http://a.example//b"; // note\n/* block\n comment */ let t = 1;',
        '{\n  "a": 1.0,\n  "b": [ 1e5, null ]\n}',
        "#!/bin/sh\necho   '# no comment'  # comment",
    ]
)


@st.composite
def fences(draw: st.DrawFn) -> str:
    mark = draw(st.sampled_from(["```", "~~~", "````"]))
    language = draw(st.sampled_from(["", "python", "js", "json", "sh", "text", "yaml"]))
    return f"{mark}{language}\n{draw(code)}\n{mark}"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def json_documents(draw: st.DrawFn) -> str:
    import json

    value = draw(
        st.lists(json_values, max_size=4) | st.dictionaries(st.text(max_size=6), json_values, max_size=4)
    )
    return json.dumps(value, indent=draw(st.sampled_from([None, 1, 2, 4])), ensure_ascii=draw(st.booleans()))


cells = st.sampled_from(["", "a", "1.50", "x  y", "`c`", "a \\| b", "ä", "-", "  wide  "])


@st.composite
def tables(draw: st.DrawFn) -> str:
    width = draw(st.integers(1, 4))
    row = st.lists(cells, min_size=width, max_size=width)
    lines = ["| " + " | ".join(draw(row)) + " |"]
    lines.append(
        "|" + "|".join(draw(st.sampled_from(["---", " :-- ", "--:", " :-: "])) for _ in range(width)) + "|"
    )
    lines += ["|  " + "  |  ".join(draw(row)) + "  |" for _ in range(draw(st.integers(0, 4)))]
    return "\n".join(lines)


others = st.sampled_from(
    [
        "# Heading  one",
        "## Context",
        "<documents>",
        "</documents>",
        "> quoted   words\n> go   on",
        "- item   one\n  - item   two\n\n    more   of it",
        "    indented   code",
        "key:  value\nother:\n  - x",
        "all: x\n\tgcc   -o x",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a   b\n+a  b",
        "2026-03-03 16:20:01  INFO   ready\n2026-03-03 16:20:02  WARN   busy",
        "NAME    AGE\nann     3\nbob     44",
        "<!-- markdownlint-disable -->",
        "<!-- Never translate the names. -->",
        "[//]: # (a remark)",
        '"""\nuser   text\n\n\n\ngoes   on\n"""',
        "<p>some   <b>html</b></p>\n<pre>\n a   b\n</pre>",
        "From: a@x.example\nSubject: Lamps\n\nHello   Ann,\n\nit broke.\n\nBest regards,\nBob\n+43 1 555",
        "On Monday, Ann <a@x.example> wrote:\n> It   works.\n> Really.",
        "Lamps can be sent back within 30 days of delivery, if they are clean.",
        "Why is the indentation wrong?",
        "What does the comment say?",
        "```\nnever closed",
        "a ``` b   c",
        "1. one   two\n2. three",
        'text with "an open   quotation',
        "----",
    ]
)
breaks = st.sampled_from(["\n", "\n\n", "\n\n\n\n", "\n  \n\n", "\r\n\r\n\r\n"])


@st.composite
def prompts(draw: st.DrawFn) -> str:
    pieces = draw(
        st.lists(
            st.one_of(paragraphs, fences(), json_documents(), tables(), others, others),
            min_size=1,
            max_size=8,
        )
    )
    text = draw(st.sampled_from(["", "\n\n", "  \n"]))
    for piece in pieces:
        text += piece + draw(breaks)
    return text + draw(st.sampled_from(["", "end", "   "]))


soup = st.lists(
    st.sampled_from([*"ab 1.\n\n\t`~|-:<>!/\"'[]{}(),#\\\r=*_é漢", "<!--", "-->", "```", "\n\n\n", "  "]),
    max_size=100,
).map("".join)
