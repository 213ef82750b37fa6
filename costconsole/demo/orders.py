"""What the process that makes the demo's calls is told at its start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from costconsole.settings import Prompts


@dataclass(frozen=True, slots=True)
class Orders:
    """What the parent wants. `seconds` 0: until it says stop. `folder` is for files of this run."""

    rate: float
    seed: int
    folder: str
    seconds: float = 0.0
    namespace: str = "default"
    model: str = "all-MiniLM-L6-v2"
    prompts: Prompts = "full"
    redact: bool = False
    routing: str = ""
    """The file of the routing config."""
    prices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Orders:
        return cls(**json.loads(line))
