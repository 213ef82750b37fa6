"""Cut what LLM calls cost: exact and semantic caches, and a ledger of every call.

The public names are imported on first use, so that `import costconsole` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costconsole.gateway.pipeline import Gateway as Gateway
    from costconsole.ledger.ledger import Ledger as Ledger

__version__ = "0.1.0"
__all__ = ["Gateway", "Ledger", "__version__"]

_HOME = {"Gateway": "costconsole.gateway.pipeline", "Ledger": "costconsole.ledger.ledger"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'costconsole' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
