"""`costconsole demo`: the console, or headless traffic, on an embedded Redis."""

from __future__ import annotations

import argparse

from costconsole.commands.session import settings_of


def run(args: argparse.Namespace) -> int:
    from costconsole.demo.run import run_demo

    return run_demo(
        settings_of(args),
        rate=args.rate,
        headless=args.headless,
        seconds=args.seconds,
        port=args.port,
        keep=args.keep,
    )
