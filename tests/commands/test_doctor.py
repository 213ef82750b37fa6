"""`costconsole doctor`, quick and deep, on caches with faults."""

from __future__ import annotations

from typing import Any

from tests.commands.conftest import Cli
from tests.health.broken import break_everything, put


def test_deep_names_the_keys_and_the_quick_one_reads_no_entry(cli: Cli, client: Any) -> None:
    shown = break_everything(client)
    quick, deep = cli("doctor", "--json"), cli("doctor", "--deep", "--json")
    assert (quick.code, deep.code) == (1, 1)
    found = {f["check"] for f in deep.json if f["status"] != "ok"}
    assert {"prefix bleed", "orphans", "wrong vectors", "answers", "duplicates", "stale", "scopes"} <= found
    assert not {"answers", "stale", "duplicates"} & {f["check"] for f in quick.json}
    (bleed,) = [f for f in deep.json if f["check"] == "prefix bleed"]
    assert bleed["evidence"] == shown["prefix bleed"]
    assert (bleed["count"], bleed["status"], bleed["cache"]) == (1, "fail", "faq")


def test_printed_findings_show_their_evidence_and_can_not_act(cli: Cli, client: Any) -> None:
    break_everything(client)
    put(client, "faq_v2", "x", answer="\x1b[2J")
    client.hset("gh\x1b]0;x\x07ost:" + "a" * 64, "prompt", "p")
    done = cli("doctor", "--deep")
    assert "✗ prefix bleed" in done.out
    assert "· faq_v2:" in done.out
    assert "→ rename one of them" in done.out
    assert not set(done.out + done.err) & set("\x1b\x07\x9b")


def test_the_rule_of_a_role_is_one_line(cli: Cli, client: Any) -> None:
    break_everything(client)
    done = cli("doctor", "--acl", "viewer")
    assert done.code == 0
    assert done.out.startswith("ACL SETUSER costconsole-viewer reset on >PASSWORD %R~")
    assert done.out.count("\n") == 1
    assert "+hset" not in done.out
    assert "+hset" in cli("doctor", "--acl", "operator").out
    assert cli("doctor", "--acl", "root").code == 2
