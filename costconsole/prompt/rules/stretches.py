"""For rules that read text across segments: stretches of the document without fences and JSON."""

from __future__ import annotations

from collections.abc import Callable

from costconsole.prompt.document import Document, Segment, joined
from costconsole.prompt.segments import segments


def over_text(document: Document, change: Callable[[str], str]) -> Document | None:
    """The document with every stretch between fences and JSON through `change`; None when none changed."""
    found: list[Segment] = []
    stretch: list[Segment] = []
    changed = False

    def finish() -> None:
        nonlocal changed
        if not stretch:
            return
        text = joined(stretch)
        new = change(text)
        if new != text:
            changed = True
            found.extend(segments(new))
        else:
            found.extend(stretch)
        stretch.clear()

    for segment in document:
        if segment.kind in ("fence", "json"):
            finish()
            found.append(segment)
        else:
            stretch.append(segment)
    finish()
    return found if changed else None
