"""Cut what LLM calls cost: caches, model routing, shorter prompts, and a ledger of every call.

The public names are imported on first use, so that `import costconsole` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costconsole.gateway.pipeline import Gateway as Gateway
    from costconsole.ledger.ledger import Ledger as Ledger
    from costconsole.prompt.minimize import minimize as minimize
    from costconsole.routing.config import load_config as load_routing
    from costconsole.routing.router import Router as Router

__version__ = "0.1.0"
__all__ = ["Gateway", "Ledger", "Router", "__version__", "load_routing", "minimize"]

_HOME = {
    "Gateway": ("costconsole.gateway.pipeline", "Gateway"),
    "Ledger": ("costconsole.ledger.ledger", "Ledger"),
    "Router": ("costconsole.routing.router", "Router"),
    "load_routing": ("costconsole.routing.config", "load_config"),
    "minimize": ("costconsole.prompt.minimize", "minimize"),
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'costconsole' has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)
