"""`costconsole doctor`: what works, what doesn't, and the next step for each; or the ACL rule of a role."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from costconsole.cache.earlier import EarlierLookups
from costconsole.commands.output import print_json
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.doctor import Finding, acl_of, examine
from costconsole.domain.errors import ExitCode
from costconsole.domain.format import count
from costconsole.domain.text import visible
from costconsole.settings import lookups_file

_MARK = {"ok": "✓", "warn": "!", "fail": "✗"}
_SHOWN = 3


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        if args.acl:
            caches = session.settings.caches
            rule = await acl_of(args.acl, session.client, session.server, session.keys, mappings=caches)
            print(visible(rule))
            return DONE
        return await _examine(session, args)

    return run_session(args, work)


async def _examine(session: Session, args: argparse.Namespace) -> int:
    findings = [Finding("redis", "ok", f"connected to {session.target.label}")]
    earlier = EarlierLookups(lookups_file(), session.server.run_id)
    progress = _Progress(args.deep and not args.json and sys.stderr.isatty())
    async with open_embedder(session.settings) as embedder:
        embedder.start()
        if not args.json:
            _say(findings[0])
        async for finding in examine(
            session.client,
            session.server,
            session.keys,
            embedder,
            deep=args.deep,
            earlier=earlier,
            progress=progress.say,
            mappings=session.settings.caches,
        ):
            findings.append(finding)
            progress.clear()
            if not args.json:
                _say(finding)
        progress.clear()
    earlier.keep()
    if args.json:
        print_json([asdict(finding) for finding in findings])
    return ExitCode.FAILED if any(f.status == "fail" for f in findings) else DONE


def _say(finding: Finding) -> None:
    counted = "" if finding.count is None else f" ({'≈' if finding.estimated else ''}{count(finding.count)})"
    print(
        f"{_MARK[finding.status]} {visible(finding.check):<14} {visible(finding.what)}{counted}", flush=True
    )
    if finding.status != "ok":
        notes = finding.notes or ("",) * len(finding.evidence)
        for key, note in list(zip(finding.evidence, notes, strict=False))[:_SHOWN]:
            print(f"  {'':<14} · {visible(key)}{'  ' + visible(note) if note else ''}", flush=True)
    if finding.next_step:
        print(f"  {'':<14} → {visible(finding.next_step)}", flush=True)


class _Progress:
    """One line on standard error that is written over, for a person who waits."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._width = 0

    def say(self, words: str) -> None:
        if self._shown:
            line = visible(words)[:76]
            sys.stderr.write("\r" + line.ljust(self._width))
            sys.stderr.flush()
            self._width = len(line)

    def clear(self) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
