"""The rules, in the order in which they are tried. Each module is one idea."""

from __future__ import annotations

from costconsole.prompt.document import Rule
from costconsole.prompt.rules import (
    blanks,
    boilerplate,
    code_comments,
    comments,
    email,
    html,
    json_compact,
    repeats,
    tables,
    whitespace,
)

RULES: tuple[Rule, ...] = (
    html.RULE,
    email.RULE,
    json_compact.RULE,
    json_compact.FENCES,
    code_comments.RULE,
    comments.RULE,
    boilerplate.RULE,
    repeats.RULE,
    tables.RULE,
    whitespace.RULE,
    blanks.RULE,
)
