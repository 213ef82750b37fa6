"""Fenced code without its comments.

Python goes through `tokenize`, and its syntax tree must stay equal; other languages through Pygments, and
their other tokens must stay equal. Kept are doc strings and doc comments, directives to tools, shebangs and
preprocessor lines. Whatever can't be read whole stays as it is.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import lru_cache
from typing import Any

from costconsole.prompt.document import Context, Document, Rule, Segment, each

_LONGEST = 200_000
"""Characters of all the code in a prompt that is looked at: lexers read about a megabyte a second."""
_PYTHON = frozenset({"python", "py", "python3", "py3"})
_LEXERS = {
    "javascript": "javascript", "js": "javascript", "mjs": "javascript", "typescript": "typescript",
    "ts": "typescript", "java": "java", "c": "c", "h": "c", "cpp": "cpp", "c++": "cpp", "hpp": "cpp",
    "csharp": "csharp", "cs": "csharp", "c#": "csharp", "go": "go", "golang": "go", "rust": "rust",
    "rs": "rust", "kotlin": "kotlin", "kt": "kotlin", "swift": "swift", "scala": "scala", "sql": "sql",
    "postgresql": "sql", "mysql": "sql", "css": "css", "lua": "lua", "r": "r", "bash": "bash", "sh": "bash",
    "shell": "bash", "zsh": "bash",
}  # fmt: skip
# Where comments were, as `_other` marks them: "n" for one that took its line's end with it, a blank for one
# that parted what stands around it. A line that held a comment alone goes; after code, the blanks before it.
_LEFT_OVER = (
    (re.compile(r"^[ \t]*\x00n? ?\x01[ \t]*(?:\n|\Z)|^[ \t]*\x00n ?\x01", re.MULTILINE), ""),
    (re.compile(r"[ \t]*\x00n ?\x01"), "\n"),
    (re.compile(r"[ \t]*\x00 ?\x01[ \t]*(?=\n|\Z)"), ""),
    (re.compile(r"^([ \t]*)\x00 ?\x01[ \t]*", re.MULTILINE), r"\1"),
    (re.compile(r"[ \t]*\x00 \x01[ \t]*"), " "),
    (re.compile(r"\x00\x01"), ""),
)
_DIRECTIVE = re.compile(
    r"#!|#.*?-\*-|#\s*(?:type:|noqa|pragma|pylint|mypy:|fmt:|isort|ruff|pyright|nosec|shellcheck|region|endregion)"
    r"|//go:|//\s*(?:nolint|NOLINT|eslint|@ts-|prettier|istanbul|c8|tslint|biome|region|#|\+build|swiftlint|ktlint)"
    r"|/\*\s*(?:eslint|global|istanbul|prettier|@|c8|jshint|webpack|#__|!|\+)|/\*\*|/\*!|///|//!|--\+|--\[\[@|---@",
)


def _apply(document: Document, context: Context) -> Document | None:
    known = [segment for segment in document if segment.kind == "fence" and _is_known(segment)]
    # All or none: with a part of them, the next pass would go on where this one had stopped.
    if not known or sum(len(segment.text) for segment in known) > _LONGEST:
        return None
    return each(
        document, "fence", lambda segment: _uncommented(segment) if _is_known(segment) else segment.text
    )


def _is_known(segment: Segment) -> bool:
    return segment.language in _PYTHON or segment.language in _LEXERS


@lru_cache(maxsize=32)
def _uncommented(segment: Segment) -> str:
    opening, newline, rest = segment.text.partition("\n")
    close = rest.rstrip().rfind("\n") + 1
    if rest[close:].strip().strip("`~") or opening[:1] not in "`~":
        return segment.text  # Without its end, or in a list: the code's own indentation isn't known.
    code = rest[:close]
    python = segment.language in _PYTHON
    try:
        short = _python(code) if python else _other(code, _LEXERS[segment.language])
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError, IndexError):
        return segment.text
    return segment.text if short == code else f"{opening}{newline}{short}{rest[close:]}"


def _python(code: str) -> str:
    before = ast.dump(ast.parse(code))
    lines = code.split("\n")
    data: set[int] = set()
    cuts: dict[int, int] = {}
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        first, last = token.start[0] - 1, token.end[0] - 1
        if token.type == tokenize.COMMENT and not _DIRECTIVE.match(token.string):
            cuts[first] = token.start[1]
        elif last > first and token.type not in (tokenize.NEWLINE, tokenize.NL):
            data.update(range(first, last))
    kept: list[str] = []
    for at, line in enumerate(lines):
        if at in cuts:
            line = line[: cuts[at]].rstrip()
            if not line:
                continue
        elif at not in data:
            line = line.rstrip()
            if not line and at < len(lines) - 1 and at - 1 not in data:
                continue
        kept.append(line)
    short = "\n".join(kept)
    return short if ast.dump(ast.parse(short)) == before else code


def _other(code: str, name: str) -> str:
    if name == "bash" and "<<" in code:
        return code  # What a here-document holds is data.
    tokens = _lex(code, name)
    pieces: list[str] = []
    for kind, text in tokens:
        if not _is_comment(kind, text):
            pieces.append(text)
            continue
        lines = text.count("\n") - text.endswith("\n")
        pieces.append(
            f"\0{'n' if text.endswith(chr(10)) else ''}{' ' if lines or text.startswith('/*') else ''}\1"
        )
    short = "".join(pieces)
    for pattern, instead in _LEFT_OVER:
        short = pattern.sub(instead, short)
    if _essence(_lex(short, name)) != _essence(tokens):
        return code
    return short


def _lex(code: str, name: str) -> list[tuple[Any, str]]:
    if "\0" in code or "\1" in code or "\r" in code:
        raise ValueError("not plain text")
    from pygments.token import Comment, Error

    found: list[tuple[Any, str]] = []
    for _, kind, text in _lexer(name).get_tokens_unprocessed(code):
        if kind in Comment.Multiline and found and found[-1][0] in Comment.Multiline:
            # Some lexers give a comment in pieces; a directive is told from its beginning.
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))

    if any(kind in Error for kind, _ in found) or "".join(text for _, text in found) != code:
        raise ValueError("not read whole")
    return found


@lru_cache(maxsize=32)
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def _is_comment(kind: Any, text: str) -> bool:
    from pygments.token import Comment

    return (
        kind in Comment
        and kind not in Comment.Preproc
        and kind not in Comment.PreprocFile
        and kind not in Comment.Hashbang
        and kind not in Comment.Special
        and _DIRECTIVE.match(text) is None
    )


def _essence(tokens: list[tuple[Any, str]]) -> list[str]:
    """The tokens that count, without comments and the white space between them."""
    from pygments.token import String

    found: list[str] = []
    for kind, text in tokens:
        if _is_comment(kind, text):
            continue
        if kind in String or text.strip():
            found.append(text if kind in String else text.strip())
    return found


RULE = Rule("code comments", _apply, frozenset({"strong"}), unless=frozenset({"comments", "layout"}))
