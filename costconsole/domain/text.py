"""The only door from data to a screen.

Whatever comes out of a cache was written by somebody else and may be hostile to a terminal. `visible`
turns it into text that can only ever be *shown*: control characters, escape sequences, bidi overrides,
lone surrogates and zero-width characters become visible stand-ins; nothing is interpreted.
"""

from __future__ import annotations

import re

# C0 and DEL have pictures of their own in Unicode (U+2400 block); the rest is shown as \uXXXX.
_C0 = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
# C1 controls; soft hyphen, Arabic letter mark, zero width and bidi characters; variation selectors
# (terminals disagree about their width); BOM; tags; surrogates; non-characters; line separators.
_ODD = re.compile(
    "[\x00-\x1f\x7f\x80-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_NEWLINES = re.compile(r"\r\n?")


def _stand_in(match: re.Match[str]) -> str:
    code = ord(match.group())
    picture = _C0.get(code)
    if picture is not None:
        return picture
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str, *, multiline: bool = False) -> str:
    """`text` made harmless. Tabs become four spaces; newlines stay only with `multiline`, else show as ⏎."""
    text = _NEWLINES.sub("\n", text).replace("\t", "    ")
    if multiline:
        return "\n".join(_ODD.sub(_stand_in, line) for line in text.split("\n"))
    return _ODD.sub(_stand_in, text.replace("\n", "⏎"))


def first_words(text: str, limit: int) -> str:
    """One harmless line of at most `limit` characters, white space folded, with … where it was cut."""
    line = visible(" ".join(text[: limit * 4].split()))
    return line if len(line) <= limit else line[: max(0, limit - 1)] + "…"
