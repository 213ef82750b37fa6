"""`costconsole minimize [FILE|-]`: a prompt in fewer tokens that says the same. No server is asked."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, settings_of
from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.prompt.diff import Line
    from costconsole.prompt.minimize import Minimized

_SHOWN_LINES = 2_000
_SIGNS = {"same": "  ", "removed": "- ", "added": "+ "}
_COLOURS = {"removed": "\x1b[31m", "added": "\x1b[32m"}
_CHANGED, _PLAIN = "\x1b[7m", "\x1b[0m"


def run(args: argparse.Namespace) -> int:
    from costconsole.prompt.minimize import minimize

    settings = settings_of(args)
    text = _read(args.file)
    found = minimize(
        text,
        level=args.level or settings.minimize_level,
        model=args.model,
        boilerplate=settings.minimize_boilerplate,
    )
    if args.json:
        print_json(as_document(found, args.model))
        return DONE
    if args.diff:
        _print_diff(text, found.text)
    elif sys.stdout.isatty():
        print(visible(found.text, multiline=True))
    else:
        # Into a file or a pipe: the prompt, to the byte.
        sys.stdout.flush()
        sys.stdout.buffer.write(found.text.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()
    _summarize(found, args.model)
    return DONE


def as_document(found: Minimized, model: str) -> dict[str, Any]:
    """The `minimize --json` document."""
    return {
        "text": found.text,
        "tokens_before": found.before,
        "tokens_after": found.after,
        "saved": found.saved,
        "tokens_estimated": found.estimated,
        "steps": [
            {"rule": step.rule, "tokens_saved": step.tokens_saved, "chars_saved": step.chars_saved}
            for step in found.steps
        ],
        "level": found.level,
        "model": model,
        "skipped": found.skipped or None,
    }


def _read(name: str) -> str:
    """The prompt from a file, or standard input for `-`, with its line ends as they are."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise UsageProblem(f"the prompt's file {name} can't be read: {error.strerror or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = "standard input" if name == "-" else name
        raise UsageProblem(f"{where} is no UTF-8 text (byte {error.start}): convert it first") from None
    if not text.strip():
        raise UsageProblem("the prompt is empty: name a file, or give it on standard input")
    return text


def _summarize(found: Minimized, model: str) -> None:
    about = "≈ " if found.estimated else ""
    share = 100 * found.saved / found.before if found.before else 0.0
    say(
        f"{about}{found.before:,} -> {about}{found.after:,} tokens of {model} "
        f"({share:.1f} % saved, level {found.level})"
    )
    if found.skipped:
        say(f"left as it is: {found.skipped}")
    for step in found.steps:
        say(f"  {step.rule:<15} {step.tokens_saved:>9,}")


def _print_diff(before: str, after: str) -> None:
    from costconsole.prompt.diff import diff

    lines = diff(before, after)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in lines[:_SHOWN_LINES]:
        print(_diff_line(line, colour))
    if len(lines) > _SHOWN_LINES:
        say(f"{len(lines) - _SHOWN_LINES:,} more lines of differences")


def _diff_line(line: Line, colour: bool) -> str:
    if line.kind == "gap":
        return f"  … {line.hidden:,} equal lines"
    pieces = [_SIGNS[line.kind]]
    for span in line.spans:
        shown = visible(span.text)
        if span.changed and not span.text.strip():
            # Blanks that went would not be seen.
            shown = shown.replace(" ", "·")
        pieces.append(
            f"{_CHANGED}{shown}{_PLAIN}{_COLOURS.get(line.kind, '')}" if colour and span.changed else shown
        )
    text = "".join(pieces)
    return f"{_COLOURS[line.kind]}{text}{_PLAIN}" if colour and line.kind in _COLOURS else text
