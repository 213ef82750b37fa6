"""White space that carries no meaning is folded; code is left as it is."""

from __future__ import annotations

import re

_SPACE = " \t\n\r\f\v"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_MARK = re.compile(r"`{3,}|~{3,}")
_RUN = re.compile(r"[ \t\f\v]+")
_INDENTED = re.compile(r" {4}| *\t")


def fold(text: str) -> str:
    """`text` without white space that doesn't change what it says. `fold(fold(x)) == fold(x)`.

    Ends are stripped; runs become one space, or one newline where they hold one. Kept as they are: fenced
    blocks, inline code, lines indented by four spaces or a tab, and any smaller indentation of two spaces
    and more (lists and YAML mean something by it).
    """
    if "\n" not in text and "\r" not in text and "`" not in text and "~" not in text:
        return _RUN.sub(" ", text.strip(_SPACE))
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip(_SPACE).split("\n")
    kept: list[str] = []
    blank: list[str] = []  # blank lines not yet written: they stay only between two lines of code
    fence, strict = "", True
    after_code = False
    for line in lines:
        if fence:
            kept.append(line)
            if _closes(line, fence) if strict else fence in line:
                fence, after_code = "", False
            continue
        if not line.strip(_SPACE):
            blank.append(line)
            continue
        opened = _FENCE.match(line)
        code = opened is None and _INDENTED.match(line) is not None
        if opened:
            fence, strict = opened.group(1), True
        elif not code and (mark := _MARK.search(_CODE_SPAN.sub("", line))):
            # "Fix this: ```" is no fence by Markdown's rules, but meant as one.
            opened, fence, strict = mark, mark.group(), False
        if code and after_code:
            kept.extend(blank)
        blank.clear()
        after_code = code
        kept.append(line if opened or code else _fold_line(line))
    return "\n".join(kept)


def _closes(line: str, fence: str) -> bool:
    rest = line.strip(_SPACE)
    return len(rest) >= len(fence) and set(rest) == {fence[0]} and _FENCE.match(line) is not None


def _fold_line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    folded, at = [], 0
    for span in _CODE_SPAN.finditer(line):
        folded.append(_RUN.sub(" ", line[at : span.start()]))
        folded.append(span.group())
        at = span.end()
    folded.append(_RUN.sub(" ", line[at:]))
    body = "".join(folded).strip(" ")
    return " " * indent + body if indent >= 2 else body
