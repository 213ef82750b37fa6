"""`costconsole threshold STEP`: each step is a module of its own, imported when it is asked for."""

from __future__ import annotations

import argparse
from importlib import import_module


def run(args: argparse.Namespace) -> int:
    """`costconsole.commands.threshold_STEP` has the same `run`."""
    return int(import_module(f"costconsole.commands.threshold_{args.step.replace('-', '_')}").run(args))
