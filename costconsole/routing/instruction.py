"""What a call asks for, without what was pasted along with it.

A vector of a whole prompt says what the pasted passage is about; the task is in a sentence before or after
it. Code fences, quotes, tagged documents and long paragraphs are passages; a sentence that begins with a
verb of doing, or ends with a question mark, is an instruction. Reads both ends of a text only, so that the
time doesn't grow with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from costconsole.cache.request import Message, text_of
from costconsole.routing.surface import begins_with_order, looks_like_code

WHOLE: Final = 240
"""Characters up to which a text of one paragraph is taken to be an instruction as it stands."""
LONGEST: Final = 1_000
"""Characters of an instruction at most: what a sentence model reads of it."""
_EDGE = 6_000
_FENCE = "```"
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=\S)")
_OPEN_TAG = re.compile(r"^<([A-Za-z][\w-]{0,40})(?:\s[^<>]{0,200})?>")
_ASKS = re.compile(r"^\W{0,3}(?:question|task|instructions?|q|prompt|request|query)\s?:\s*", re.IGNORECASE)
_DATA = re.compile(
    r"^\W{0,3}(?:text|passage|context|article|input|e?-?mail|transcript|document|review|data|excerpt|source|reference"
    r"|content|paragraph|log|output|from|subject|dear)\b[^.?!\n]{0,30}[:,]",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:passage|paragraph|article|excerpt|transcript|text|document|e-?mail|report|page|reviews?|notes|above|below|following"
    r"|code|snippet|function|log|thread|message|according|mentioned)\b",
    re.IGNORECASE,
)
# A sentence end or a line's end; what points at something beside it.
_PIECE_END = re.compile(r"(?<=[.!?:])\s+(?=\S)|\s*\n\s*")
_POINTS = re.compile(rf":\W*$|{_REFERS.pattern}|\b(?:ticket|invoice|mail|bill)\b", re.IGNORECASE)
_PASSAGE: Final = 80
"""Characters from which what stands beside a sentence that asks may be a passage."""
_QUANTITY = re.compile(
    r"\b(?:how (?:many|much|long|far|old|fast)|what|total|when|percent|combien|wie viele?|cuánt[oa]s?)\b",
    re.I,
)
_OPTION = re.compile(r"^\W?[A-E1-5][.):]\s+\S", re.MULTILINE)
_ENOUGH = 2.0


def instruction_of(messages: Sequence[Message]) -> str:
    """What the last user turn asks for: at most `LONGEST` characters; "" if no user turn has text."""
    return instruction(last_words(messages))


def last_words(messages: Sequence[Message]) -> str:
    """The text of the last user turn that has one."""
    for message in reversed(messages):
        if message.get("role") == "user" and (text := text_of(message.get("content"))).strip():
            return text
    return ""


def asks_the_same(messages: Sequence[Message], embedded: str) -> bool:
    """Whether the vector of the text `embedded` can serve as that of the instruction: the texts are equal."""
    return instruction_of(messages).split() == embedded[: 2 * LONGEST].split()


def conversation_of(messages: Sequence[Message]) -> str:
    """What stays the same as a conversation goes on: a digest of its system prompt and first user turn."""
    found = hashlib.blake2b(digest_size=16)
    for message in messages:
        role = message.get("role")
        if role in ("system", "developer", "user"):
            found.update(f"{role}\0{text_of(message.get('content'))}\0".encode("utf-8", "surrogatepass"))
        if role == "user":
            return found.hexdigest()
    return ""


def has_code(text: str) -> bool:
    """Whether there is a code fence, or a line of code at either end of the text."""
    return _FENCE in text or looks_like_code(text[:_EDGE]) or looks_like_code(text[-_EDGE:])


def instruction(text: str) -> str:
    """The instruction within one text."""
    if len(text) <= WHOLE and _FENCE not in text and "\n\n" not in text:
        return _beside_a_passage(text) or text.strip()
    blocks = _blocks(text)
    if not blocks:
        return text.strip()[:LONGEST].rstrip()  # Nothing but a quote or code: then that is all we know.
    whole = "\n\n".join(blocks)
    if len(whole) <= LONGEST and (_has_options(whole) or _is_word_problem(whole, blocks[-1])):
        return whole
    if len(blocks) == 1:
        return _of_paragraph(whole)
    return _of_blocks(blocks)


def _of_blocks(blocks: list[str]) -> str:
    """The paragraphs that ask: the one that does so most clearly, and any other at an end of the text."""
    ends = sorted({*range(min(3, len(blocks))), *range(max(0, len(blocks) - 3), len(blocks))})
    asking = {place: _asks(blocks[place]) for place in ends}
    # Where two ask alike, the one at an outer end is the user's.
    best = max(ends, key=lambda place: (asking[place], place in (0, len(blocks) - 1), -place))
    if asking[best] < _ENOUGH:
        short = [blocks[place] for place in (0, len(blocks) - 1) if len(blocks[place]) <= WHOLE]
        chosen = short[:1] or [blocks[0][: LONGEST // 2], blocks[-1][-LONGEST // 2 :]]
        return "\n".join(chosen).strip()
    wanted = [
        place
        for place in ends
        if place == best or (place in (0, len(blocks) - 1) and asking[place] >= _ENOUGH)
    ]
    return "\n".join(_of_paragraph(_ASKS.sub("", blocks[place])) for place in wanted)[:LONGEST].rstrip()


def _of_paragraph(text: str) -> str:
    """The sentences that ask, of one paragraph that may have its passage within."""
    if found := _beside_a_passage(text):
        return found
    if len(text) <= WHOLE:
        return text.strip()
    if "\n" in text and (line := _line_that_asks(text)):
        return _of_paragraph(line)
    first = _SENTENCE_END.split(text[:_EDGE], maxsplit=2)
    last = _SENTENCE_END.split(text[-_EDGE:])[-1]
    if len(text) <= 2 * WHOLE or _is_word_problem(text, last):
        return text.strip()[:LONGEST]
    if _asks(first[0]) >= _ENOUGH and len(first[0]) <= WHOLE:
        # A second sentence belongs to the order if it is one too.
        more = [part for part in first[1:2] if _asks(part) >= _ENOUGH and len(part) <= WHOLE]
        closing = [last] if last not in first[:2] and _asks(last) >= _ENOUGH and len(last) <= WHOLE else []
        return " ".join([first[0], *more, *closing]).strip()
    if _asks(last) >= _ENOUGH and len(last) <= WHOLE:
        return last.strip()
    if len(text) <= LONGEST:
        return text.strip()
    return f"{text[: LONGEST // 2].rstrip()} {text[-(LONGEST // 2) + 1 :].lstrip()}"


def _beside_a_passage(text: str) -> str:
    """The sentences near an end that ask something of what stands beside them ("Label this:", "Is this
    customer happy?"), if that is a passage of some length; else ""."""
    if len(text) < _PASSAGE:
        return ""
    first = _PIECE_END.split(text[:_EDGE], maxsplit=3)
    last = _PIECE_END.split(text[-_EDGE:])[-2:]
    pieces = list(dict.fromkeys((*first[:3], *last)))
    asking = [piece for piece in pieces if len(piece) <= WHOLE and _asks(piece) >= _ENOUGH]
    # A question on a line of its own is about the other lines, unless it is to be worked out from them.
    alone = [line for line in (text.partition("\n")[0], text.rpartition("\n")[2]) if "\n" in text]
    about = [
        piece
        for piece in asking
        if not looks_like_code(piece)
        and (_POINTS.search(piece) or (_ends_with(alone, piece) and not _QUANTITY.search(piece)))
    ]
    if not about or len(text) - sum(map(len, asking)) < _PASSAGE:
        return ""
    return " ".join(piece.strip() for piece in about)


def _ends_with(lines: Iterable[str], piece: str) -> bool:
    return any(line.strip().endswith(piece.strip()) for line in lines)


def _line_that_asks(text: str) -> str:
    """The first or the last line, if it asks and the others are a passage; else ""."""
    first, last = text.partition("\n")[0], text.rpartition("\n")[2]
    asking = {line: _asks(line) for line in (first, last) if len(text) - len(line) > WHOLE}
    best = max(asking, key=lambda line: asking[line], default="")
    return best if best and asking[best] >= _ENOUGH else ""


def _asks(block: str) -> float:
    """How much a paragraph or sentence looks like an instruction."""
    start = _ASKS.sub("", block[:WHOLE])
    score = 3.0 if len(start) < len(block[:WHOLE]) else 0.0
    if _DATA.match(block):
        score -= 4.0
    if begins_with_order(start):
        score += 2.0
    end = block[-8:].rstrip("\"'”)* \n\t")
    if end.endswith("?"):
        score += 2.0
    elif end.endswith(":"):
        score += 1.0
    if _REFERS.search(start):
        score += 1.0
    if len(block) > 300:
        score -= 1.0 if len(block) <= 700 else 2.0
    return score


def _has_options(text: str) -> bool:
    """A question and the answers to choose from belong together."""
    return "?" in text and len(_OPTION.findall(text)) >= 3


def _is_word_problem(text: str, question: str) -> bool:
    """A story with numbers and a question about them is no passage: all of it is the task."""
    if len(text) > LONGEST or not question.rstrip().endswith("?") or _REFERS.search(question):
        return False
    numbers = sum(word[0].isdigit() or word[0] == "$" for word in text.split())
    return numbers >= 3 and _QUANTITY.search(question[-WHOLE:]) is not None


def _blocks(text: str) -> list[str]:
    """The paragraphs at both ends of the text, without fences, quotes and tagged documents."""
    if len(text) <= 2 * _EDGE:
        return _paragraphs(text.split("\n"), fenced=False)
    cut = text.find("\n", len(text) - _EDGE)
    start = cut + 1 if cut >= 0 else len(text) - _EDGE
    fenced = text.count(_FENCE, 0, start) % 2 == 1
    return [
        *_paragraphs(text[:_EDGE].split("\n"), fenced=False),
        *_paragraphs(text[start:].split("\n"), fenced=fenced),
    ]


def _paragraphs(lines: Iterable[str], *, fenced: bool) -> list[str]:
    blocks: list[list[str]] = [[]]
    closing = _FENCE if fenced else ""
    for line in lines:
        bare = line.strip()
        if closing:
            if closing in bare:
                closing = ""
                blocks.append([])
            continue
        if (closing := _opens(bare)) or not bare or bare[0] == ">" or not bare.strip("-=#*_~"):
            blocks.append([])
        else:
            blocks[-1].append(bare)
    return ["\n".join(block) for block in blocks if block]


def _opens(line: str) -> str:
    """What closes the passage that this line opens; "" if it opens none, or closes it itself."""
    for mark in (_FENCE, '"""', "'''"):
        if line.startswith(mark):
            return "" if line.count(mark) > 1 else mark
    if line.startswith("<") and (tag := _OPEN_TAG.match(line)):
        end = f"</{tag[1]}>"
        return "" if end in line else end
    return ""
