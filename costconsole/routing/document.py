"""YAML (and so JSON) as a tree of values that know their lines.

Read from libyaml's events without recursion, so that neither depth nor aliases of a hostile file can
cost more than the file is long; nothing in it is ever executed or made an object of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["table", "list", "text", "number", "yes/no", "nothing"]

MAX_CHARS: Final = 2_000_000
MAX_DEPTH: Final = 60
MAX_VALUES: Final = 200_000

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_TRUE = re.compile(r"(?:yes|Yes|YES|true|True|TRUE|on|On|ON)\Z")
_FALSE = re.compile(r"(?:no|No|NO|false|False|FALSE|off|Off|OFF)\Z")
_WHOLE = re.compile(r"[-+]?[0-9][0-9_]*\Z")
_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*)?\.?[0-9]+(?:\.)?(?:[eE][-+]?[0-9]+)?\Z")
_STANDARD = "tag:yaml.org,2002:"


class Unreadable(Exception):
    """The text is no document: `line` (from 1, None if nowhere) and what was expected."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True, eq=False)
class Value:
    """One value. `raw` is a scalar as it was written; `keys` the lines of a table's keys."""

    kind: Kind
    line: int | None = None
    raw: str = ""
    scalar: str | int | float | bool | None = None
    items: list[Value] = field(default_factory=list)
    table: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, int | None] = field(default_factory=dict)
    duplicates: list[tuple[str, int | None]] = field(default_factory=list)
    odd: str = ""
    """A tag or a key that has no meaning here."""
    weight: int = 1


def from_plain(data: object, depth: int = 0) -> Value:
    """The same tree from what JSON made, without lines. Raises Unreadable for what JSON can't hold."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"values are nested more than {MAX_DEPTH} deep")
    match data:
        case None:
            return Value("nothing")
        case bool():
            return Value("yes/no", raw=str(data).lower(), scalar=data)
        case int() | float():
            return Value("number", raw=str(data), scalar=data)
        case str():
            return Value("text", raw=data, scalar=data)
        case list() | tuple():
            return Value("list", items=[from_plain(item, depth + 1) for item in data])
        case Mapping():
            table = {str(key): from_plain(item, depth + 1) for key, item in data.items()}
            return Value("table", table=table, keys=dict.fromkeys(table))
    raise Unreadable(f"a {type(data).__name__} is neither text, number, list nor table")


def read_document(text: str) -> Value:
    """The one document in `text`. Raises Unreadable, with the line, for anything that is none."""
    import yaml

    if len(text) > MAX_CHARS:
        raise Unreadable(f"the file has {len(text):,} characters; expected at most {MAX_CHARS:,}")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event, yaml)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        raise Unreadable("a control character can't stand in YAML: remove it", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _explained(text, str(error.problem or error.context or "not YAML"), mark) from None
    except (yaml.YAMLError, RecursionError):
        raise Unreadable("this is not YAML") from None
    if builder.root is None:
        raise Unreadable("the file is empty; expected a routing config, beginning with models:")
    return builder.root


def _explained(text: str, problem: str, mark: Any) -> Unreadable:
    """libyaml's words for people. The file itself is never quoted: it may hold keys."""
    line = None if mark is None else mark.line + 1
    lines = text.splitlines()
    here = lines[line - 1] if line is not None and line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or "'\\t'" in problem or r"\t" in problem:
        return Unreadable("a tab can't indent in YAML: use spaces", line)
    if "undefined alias" in problem:
        return Unreadable("an alias (*name) has no anchor (&name) before it", line)
    if "mapping values are not allowed" in problem:
        return Unreadable(
            "a second colon in one line: put the value in quotes, or mind the indentation", line
        )
    if "end of stream" in problem:
        return Unreadable("a quote or bracket that opens above never closes", line)
    if "could not find expected ':'" in problem:
        return Unreadable("a key without a colon, or a text whose quote never ends", line)
    if "did not find expected" in problem or "block end" in problem:
        return Unreadable(
            "the indentation changes here, or a bracket or quote is open; expected the next key as far in as "
            "its neighbours",
            line,
        )
    return Unreadable(f"this is not YAML ({problem})", line)


@dataclass(slots=True, eq=False)
class _Open:
    value: Value
    anchor: str | None
    key: str | None = None
    key_line: int | None = None
    merges: list[Value] = field(default_factory=list)
    waiting: bool = True
    """For a table: the next value is a key."""


class _Builder:
    def __init__(self) -> None:
        self.root: Value | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Value | None] = {}
        self._documents = 0
        self._count = 0

    def take(self, event: Any, yaml: Any) -> None:
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Unreadable("a second document begins here (---); expected one", line)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event, line), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) >= MAX_DEPTH:
                raise Unreadable(f"values are nested more than {MAX_DEPTH} deep", line)
            kind: Kind = "table" if isinstance(event, yaml.MappingStartEvent) else "list"
            value = Value(kind, line, odd=_odd_tag(event.tag))
            if event.anchor:
                self._anchors[event.anchor] = None
            self._open.append(_Open(value, event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self._open.pop()
            self._merge(done)
            self._add(done.value, done.anchor)

    def _alias(self, name: str, line: int | None) -> None:
        if name not in self._anchors:
            raise Unreadable("an alias (*name) has no anchor (&name) before it", line)
        found = self._anchors[name]
        if found is None:
            raise Unreadable("an alias (*name) stands inside what it names; expected a value", line)
        self._add(found, None)

    def _add(self, value: Value, anchor: str | None) -> None:
        self._count += 1
        if anchor:
            self._anchors[anchor] = value
        if not self._open:
            self.root = value
            return
        top = self._open[-1]
        # What an alias stands for counts each time, so that a few lines can't mean billions of values.
        top.value.weight += value.weight
        if top.value.weight > MAX_VALUES or self._count > MAX_VALUES:
            raise Unreadable(
                f"more than {MAX_VALUES:,} values, counting each use of an alias", top.value.line
            )
        if top.value.kind == "list":
            top.value.items.append(value)
        elif top.waiting:
            top.waiting = False
            top.key_line = value.line
            top.key = value.raw if value.kind not in ("list", "table") else None
            if top.key is None:
                top.value.odd = "a list or table as a key"
        else:
            top.waiting = True
            self._pair(top, value)

    @staticmethod
    def _pair(top: _Open, value: Value) -> None:
        key = top.key
        if key is None:
            return
        if key == "<<":
            top.merges += value.items if value.kind == "list" else [value]
        elif key in top.value.table:
            top.value.duplicates.append((key, top.key_line))
        else:
            top.value.table[key] = value
            top.value.keys[key] = top.key_line

    @staticmethod
    def _merge(done: _Open) -> None:
        for other in done.merges:
            for key, value in other.table.items():
                if key not in done.value.table:
                    done.value.table[key] = value
                    done.value.keys[key] = other.keys.get(key)


def _odd_tag(tag: str | None) -> str:
    known = ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")
    if not tag or tag == "!" or (tag.startswith(_STANDARD) and tag.removeprefix(_STANDARD) in known):
        return ""
    return f"the tag {tag.removeprefix(_STANDARD)[:40]!r}"


def _scalar(event: Any, line: int | None) -> Value:
    text: str = event.value
    odd = _odd_tag(event.tag)
    if not event.implicit[0] or event.tag == _STANDARD + "str":
        return Value("text", line, text, text, odd=odd)
    if _NULL.match(text):
        return Value("nothing", line, text, None, odd=odd)
    if _TRUE.match(text) or _FALSE.match(text):
        return Value("yes/no", line, text, bool(_TRUE.match(text)), odd=odd)
    if _WHOLE.match(text) and len(text) < 20:
        return Value("number", line, text, int(text.replace("_", "")), odd=odd)
    if _NUMBER.match(text) and len(text) < 40:
        try:
            return Value("number", line, text, float(text.replace("_", "")), odd=odd)
        except ValueError:
            pass
    return Value("text", line, text, text, odd=odd)
