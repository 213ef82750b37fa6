"""`costconsole doctor`: what works, what doesn't, and the next step for each."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from costconsole.commands.output import print_json
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.doctor import Finding, examine
from costconsole.domain.errors import ExitCode
from costconsole.domain.text import visible

_MARK = {"ok": "✓", "warn": "!", "fail": "✗"}


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        findings = [Finding("redis", "ok", f"connected to {session.target.label}")]
        async with open_embedder(session.settings) as embedder:
            embedder.start()
            if not args.json:
                _say(findings[0])
            async for finding in examine(session.client, session.server, session.keys, embedder):
                findings.append(finding)
                if not args.json:
                    _say(finding)
        if args.json:
            print_json([asdict(finding) for finding in findings])
        return ExitCode.FAILED if any(f.status == "fail" for f in findings) else DONE

    return run_session(args, work)


def _say(finding: Finding) -> None:
    print(f"{_MARK[finding.status]} {visible(finding.check):<12} {visible(finding.what)}", flush=True)
    if finding.next_step:
        print(f"  {'':<12} → {visible(finding.next_step)}", flush=True)
