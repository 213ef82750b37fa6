"""`costconsole` alone: the console."""

from __future__ import annotations

import argparse

from costconsole.commands.session import settings_of


def run(args: argparse.Namespace) -> int:
    from costconsole.console.launch import run_console

    return run_console(settings_of(args))
