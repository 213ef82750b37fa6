"""Paragraphs that were already there, word for word.

Retrieved passages overlap, and saying one twice tells a model nothing. `safe` takes repetitions only within
what the prompt itself marks as context (a tag such as <documents>, a heading such as "Context:"); `strong`
takes them everywhere but from examples.
"""

from __future__ import annotations

import re

from costconsole.prompt.document import Context, Document, Rule, without

_SHORTEST = 40
_WORDS = (
    r"contexts?|documents?|docs?|sources?|passages?|search[_ -]results?|results?|knowledge(?:[_ -]base)?"
    r"|retrieved[\w -]*|chunks?|excerpts?|snippets?|background|references?|articles?|materials?"
)
_OPENS = re.compile(rf"<({_WORDS})\b[^>]*>\s*\Z", re.IGNORECASE)
_CLOSES = re.compile(rf"</({_WORDS})>\s*\Z", re.IGNORECASE)
_LABEL = re.compile(
    rf"(?:#{{1,6}}\s*)?\**(?:the |relevant |retrieved |additional |provided )?(?:{_WORDS})\b"
    r"[^.?!\n]{0,40}:?\**:?\s*\Z",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"#{1,6}\s|(?:user |your |the )?"
    r"(?:question|query|task|instructions?|answer|input|output|request|prompt)\b[^.?!\n]{0,30}:",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"^\W{0,8}(?:input|output|q|a|question|answer|user|assistant|human|ai|example|label|sentence|text)\s*#?\d*\s*[:)]",
    re.IGNORECASE | re.MULTILINE,
)


def _apply(document: Document, context: Context) -> Document | None:
    everywhere = context.level == "strong"
    seen: set[str] = set()
    gone: set[int] = set()
    depth = 0
    labelled = False
    for at, segment in enumerate(document):
        text = segment.text
        if segment.kind == "marker" or (segment.kind == "prose" and len(text) < 120):
            if _OPENS.match(text):
                depth += 1
                continue
            if _CLOSES.match(text):
                depth = max(0, depth - 1)
                continue
        if segment.kind in ("marker", "prose"):
            first, _, rest = text[:400].partition("\n")
            if _LABEL.match(first):
                labelled = True
                if not rest.strip():
                    continue
                text = text.partition("\n")[2]
            elif _OTHER.match(text):
                labelled = False
        if segment.kind != "prose" or not (everywhere or depth or labelled) or len(text) < _SHORTEST:
            continue
        words = " ".join(text.split())
        if len(words) < _SHORTEST or _EXAMPLE.search(text) or words.count('"') % 2:
            continue
        if words in seen and text is segment.text:
            gone.add(at)
        seen.add(words)
    return without(document, gone) if gone else None


RULE = Rule("repeats", _apply, unless=frozenset({"repetition"}))
