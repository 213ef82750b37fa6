"""What of a prompt is kept with its call."""

from __future__ import annotations

from typing import Literal

from costconsole.domain.redact import redact

Prompts = Literal["preview", "full", "off"]
PREVIEW_LENGTH = 120
FULL_LENGTH = 2_000


def preview(text: str, prompts: Prompts = "preview", *, masked: bool = False) -> str:
    """`preview`: the first 120 characters, always masked; `full`: 2,000, masked if asked to; `off`: "".

    Masking comes before cutting, so that a cut can't hide that something is an address. Applied twice,
    it changes nothing.
    """
    if prompts == "off" or not text:
        return ""
    if prompts == "full":
        return redact(text[: FULL_LENGTH + 200])[:FULL_LENGTH] if masked else text[:FULL_LENGTH]
    return redact(text[: PREVIEW_LENGTH + 200])[:PREVIEW_LENGTH]
