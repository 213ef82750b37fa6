"""The command line: it parses, calls, and prints; the work is done in `costconsole.commands`.

Kept light: `costconsole --help` imports neither Textual nor Redis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

from costconsole import __version__
from costconsole.domain.errors import ExitCode, Problem, UsageProblem

HELP = """\
costconsole: see, search and steer what LLM calls cost and what caches save.

  costconsole                                open the console on your Redis
  costconsole demo                           try it: own Redis, real traffic
  costconsole --redis redis://cache:6379 stats --window 24h --by model
  costconsole search "refund after 30 days" --json

commands    demo doctor caches stats search show evict undo check ask
            minimize threshold route routing config completion (COMMAND --help)
connection  --redis URL  --namespace NS  --ledger URL  --config FILE
            --ca-file F  --cert-file F  --key-file F  --read-only
console     --theme NAME  --refresh S  --window 1h  --no-mouse
            --charset braille|block|ascii  --timezone ZONE
            --embedding-model NAME  --redact
routing     --routing FILE   models and routes, in YAML (LiteLLM's too)

exit codes  0 done  1 failed  2 usage or config  3 Redis can't be reached
            4 timed out  5 refused  10 over budget  130 interrupted
A Redis password belongs into COSTCONSOLE_REDIS_PASSWORD or the config.
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with its errors as one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; see {self.prog} --help")


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(HELP)
        raise SystemExit(ExitCode.OK)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        parts = [f"costconsole {__version__}", f"Python {sys.version.split()[0]}"]
        for package in ("textual", "redis", "redisvl", "plotext", "genai-prices"):
            try:
                parts.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                parts.append(f"{package} (not installed)")
        print(", ".join(parts))
        raise SystemExit(ExitCode.OK)


def _common() -> _Parser:
    """The flags that may stand before or after the command."""
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--redis", dest="redis_url", metavar="URL")
    common.add_argument("--namespace", metavar="NS")
    common.add_argument("--ledger", dest="ledger_url", metavar="URL")
    common.add_argument("--config", metavar="FILE")
    common.add_argument("--ca-file", metavar="FILE")
    common.add_argument("--cert-file", metavar="FILE")
    common.add_argument("--key-file", metavar="FILE")
    common.add_argument("--read-only", action="store_true")
    common.add_argument("--theme", metavar="NAME")
    common.add_argument("--refresh", dest="refresh_s", metavar="S")
    common.add_argument("--no-mouse", dest="mouse", action="store_false")
    common.add_argument("--charset")
    common.add_argument("--ascii", dest="charset", action="store_const", const="ascii")
    common.add_argument("--timezone", metavar="ZONE")
    common.add_argument("--embedding-model", metavar="NAME")
    common.add_argument("--redact", action="store_true")
    common.add_argument("--routing", metavar="FILE")
    return common


def build_parser() -> _Parser:
    """Every command, with its arguments."""
    common = _common()
    window = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    window.add_argument("--window", metavar="1h", help="5m, 1h, 24h, 7d, ...")
    as_json = _Parser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="one JSON document on standard output")
    passing = _Parser(add_help=False)
    passing.add_argument("--model", metavar="M", help="answered by this model; gpt-4* by those")
    passing.add_argument("--older-than", metavar="7d", help="stored longer ago than this")
    passing.add_argument("--scope", metavar="S", help="stored in this scope; 3fa9* in those")
    passing.add_argument("--library", metavar="L", help="written by this library")
    passing.add_argument("--never-expiring", action="store_true", help="without a time to live")

    parser = _Parser(prog="costconsole", add_help=False, parents=[common, window], allow_abbrev=False)
    parser.add_argument("-h", "--help", action=_Help, nargs=0)
    parser.add_argument("--version", action=_Version, nargs=0)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, text: str, *parents: _Parser) -> _Parser:
        return commands.add_parser(
            name, help=text, description=text, parents=[common, *parents], allow_abbrev=False
        )

    demo = command("demo", "The console on an embedded Redis with real traffic.", window)
    demo.add_argument("--rate", type=_positive, default=20.0, metavar="CALLS_PER_S")
    demo.add_argument("--headless", action="store_true", help="traffic only, no screen")
    demo.add_argument("--seconds", type=_positive, metavar="S", help="stop after S seconds")
    demo.add_argument("--port", type=_port, metavar="P", help="let Redis listen on 127.0.0.1:P")
    demo.add_argument("--keep", metavar="DIR", help="keep the data in DIR and go on from there")

    doctor = command("doctor", "What works, what doesn't, and the next step for each.", as_json)
    doctor.add_argument("--deep", action="store_true", help="read samples of entries, measure look-ups")
    doctor.add_argument("--acl", choices=("viewer", "operator"), help="print the ACL rule this role needs")
    caches = command("caches", "Every cache found in this Redis, and what can be known of it.", as_json)
    caches.add_argument("--deep", action="store_true", help="look at every key, however long that takes")

    stats = command("stats", "Figures of a window.", window, as_json)
    stats.add_argument("--by", choices=("model", "route", "tag", "outcome"))
    stats.add_argument("--csv", action="store_true")
    stats.add_argument("--watch", type=_positive, metavar="S", help="again every S seconds, until ctrl+c")

    search = command("search", "Search the cached entries by meaning, or by text.", passing, as_json)
    search.add_argument("query", nargs="?", metavar="QUERY", help="without one, the newest that pass")
    search.add_argument("--cache", metavar="NAME")
    search.add_argument("-k", type=_count, default=20, metavar="N", help="at most N entries (20)")
    search.add_argument("--text", action="store_true", help="words instead of meaning")

    show = command("show", "One cached entry, whole.", as_json)
    show.add_argument("key", metavar="KEY")

    evict = command(
        "evict", "Remove cached entries; `costconsole undo` brings them back for a day.", passing, as_json
    )
    evict.add_argument("keys", nargs="*", metavar="KEY")
    evict.add_argument("--query", metavar="Q", help="entries whose prompt means the same")
    evict.add_argument("--min-similarity", type=_similarity, metavar="S", help="(the live threshold)")
    evict.add_argument("--cache", metavar="NAME", help="of this cache only; alone: all of it")
    evict.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    evict.add_argument("--yes", action="store_true", help="don't ask")
    evict.add_argument("--no-undo", action="store_true", help="keep no copies")

    undo = command("undo", "Bring back what an eviction removed: the newest, or that of an id.", as_json)
    undo.add_argument("undo_id", nargs="?", metavar="UNDO_ID")
    undo.add_argument("--list", action="store_true", help="the evictions of the last 24 hours")

    for name, text in (
        ("check", "What would happen to a prompt; nothing is sent or written."),
        ("ask", "The same for real: answered from the cache, or by the model."),
    ):
        prompt = command(name, text, as_json)
        prompt.add_argument("prompt", metavar="PROMPT", help="the prompt, or - for standard input")
        prompt.add_argument("--model", metavar="M", help="the LLM, such as gpt-4o-mini")
        prompt.add_argument("--system", metavar="TEXT")

    minimize = command("minimize", "A prompt in fewer tokens that says the same.", as_json)
    minimize.add_argument("file", nargs="?", default="-", metavar="FILE", help="(standard input)")
    minimize.add_argument("--level", choices=("safe", "strong"), help="strong gives up more (safe)")
    minimize.add_argument("--diff", action="store_true", help="what changed, instead of the text")
    minimize.add_argument("--model", default="gpt-4o", metavar="M", help="whose tokens count (gpt-4o)")

    threshold = command("threshold", "Show or set the similarity from which a cached answer is served.")
    steps = threshold.add_subparsers(
        dest="step",
        metavar="show|set|undo|suggest|label|import|replay|guards|per-entry",
        required=True,
        parser_class=_Parser,
    )
    steps.add_parser("show", parents=[common, as_json], allow_abbrev=False)
    change = steps.add_parser("set", parents=[common, as_json], allow_abbrev=False)
    change.add_argument("value", metavar="VALUE")
    change.add_argument("--cache", metavar="NAME", help="whichever library's (ours, of --namespace)")
    change.add_argument("--route", metavar="R", help="of one route or category")
    back = steps.add_parser("undo", parents=[common, as_json], allow_abbrev=False)
    back.add_argument("undo_id", nargs="?", metavar="ID", help="of a change; the newest without one")

    _add_calibration(steps, common, as_json)

    route = command("route", "Which route and model a prompt gets, and why; nothing is sent.", as_json)
    route.add_argument("prompt", metavar="PROMPT", help="the prompt, or - for standard input")
    route.add_argument("--model", metavar="M", help="what the caller asks for: a model or an alias (auto)")
    route.add_argument("--system", metavar="TEXT")
    route.add_argument("--tag", metavar="TAG", help="the call's tag")
    route.add_argument("--tools", action="store_true", help="the call brings tools")

    _add_routing(command("routing", "Which model answers what: check, show or train it."), common, as_json)

    config = command("config", "Where settings come from.")
    views = config.add_subparsers(dest="step", metavar="show|path", required=True, parser_class=_Parser)
    views.add_parser("show", parents=[common, as_json], allow_abbrev=False)
    views.add_parser("path", parents=[common], allow_abbrev=False)

    completion = command("completion", "A completion script for your shell.")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


def _add_routing(routing: _Parser, common: _Parser, as_json: _Parser) -> None:
    steps = routing.add_subparsers(
        dest="step", metavar="validate|show|train|what-if", required=True, parser_class=_Parser
    )
    for name, text, file in (
        (
            "validate",
            "Every finding of a routing config.",
            "native YAML, LiteLLM's config.yaml, RedisVL's YAML",
        ),
        ("show", "The routing in effect: that of --routing, else the defaults.", ""),
        (
            "train",
            "Learn from your own labelled prompts, or from outcomes.",
            'JSON lines {"prompt", "label"} or {"prompt", "weak", "strong"}; - for standard input',
        ),
    ):
        step = steps.add_parser(
            name, help=text, description=text, parents=[common, as_json], allow_abbrev=False
        )
        if file:
            step.add_argument("file", metavar="FILE", help=file)
    text = "The last calls under an edited config, or at other prices: what they would have cost."
    what_if = steps.add_parser(
        "what-if", help=text, description=text, parents=[common, as_json], allow_abbrev=False
    )
    what_if.add_argument("file", nargs="?", metavar="FILE", help="the edited config (that of --routing)")
    what_if.add_argument("--last", type=_calls, default=10_000, metavar="N", help="calls (10000)")
    what_if.add_argument(
        "--prices", dest="price_list", metavar="FILE", help='[prices."openai/gpt-4o"] in TOML, or JSON'
    )


def _add_calibration(steps: argparse._SubParsersAction[_Parser], common: _Parser, as_json: _Parser) -> None:
    """The steps of `threshold` that go by evidence."""
    suggest = steps.add_parser("suggest", parents=[common, as_json], allow_abbrev=False)
    suggest.add_argument(
        "--max-error", type=float, default=0.02, metavar="A", help="wrong hits, share (0.02)"
    )
    suggest.add_argument("--confidence", type=float, default=0.95, metavar="C", help="(0.95)")
    suggest.add_argument("--labels", metavar="FILE", help='JSON lines {"s", "same"} or {"a", "b", "same"}')
    suggest.add_argument("--scores", metavar="FILE", help="the similarity of every look-up, one a line")
    suggest.add_argument("--current", type=_similarity, metavar="T", help="never more than 0.05 below it")
    suggest.add_argument("--route", metavar="R", help="from the look-ups of this route only")
    suggest.add_argument("--model", metavar="M", help="from those that asked for this model only")
    suggest.add_argument(
        "--by", choices=("route", "model"), help="each of them that has enough labels, at once"
    )
    suggest.add_argument("--cache", metavar="NAME", help="BetterDB's: hit rates from its similarity window")
    suggest.add_argument("--families", type=_count, default=1, metavar="K", help="scopes decided at once")
    suggest.add_argument("--strict", action="store_true", help="valid whatever the data; finds less often")
    suggest.add_argument("--judge", action="store_true", help="a judge's labels count as people's")

    label = steps.add_parser("label", parents=[common, as_json], allow_abbrev=False)
    label.add_argument("-n", "--count", type=_count, default=20, metavar="N", help="pairs to label (20)")
    label.add_argument("--plan", type=_count, metavar="N", help="labels in the end: they are aimed for that")
    label.add_argument("--route", metavar="R")
    label.add_argument("--max-error", type=float, default=0.02, metavar="A")

    label.add_argument("--judge", metavar="PROVIDER/MODEL", help="let a model label, such as openai/gpt-4o")
    label.add_argument("--judge-url", metavar="URL", help="where it is asked, if not at its provider")

    again = steps.add_parser("replay", parents=[common, as_json], allow_abbrev=False)
    again.add_argument("--to", type=_similarity, action="append", metavar="T", help="may be repeated")
    again.add_argument("--route", metavar="R", help="the look-ups of this route only")
    again.add_argument("-n", "--count", type=_prompts, default=20_000, metavar="N", help="newest (20000)")

    guards = steps.add_parser("guards", parents=[common, as_json], allow_abbrev=False)
    guards.add_argument("name", nargs="?", metavar="NAME", help="numbers, entities, negation or antonyms")
    guards.add_argument("switch", nargs="?", choices=("on", "off"))

    each = steps.add_parser("per-entry", parents=[common, as_json], allow_abbrev=False)
    each.add_argument("--max-error", type=float, default=0.02, metavar="A", help="wrong hits, share (0.02)")
    each.add_argument("--confidence", type=float, default=0.95, metavar="C", help="(0.95)")
    each.add_argument("--route", metavar="R", help="the look-ups of this route only")
    each.add_argument("--people", action="store_true", help="leave a judge's labels out")

    load = steps.add_parser("import", parents=[common, as_json], allow_abbrev=False)
    load.add_argument("file", metavar="FILE", help='JSON lines {"a", "b", "same"} or {"s", "same"}')
    load.add_argument("--drawn", action="store_true", help="they were drawn uniformly: bounds may use them")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 10000")
    return value


def _calls(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1000000")
    return value


def _prompts(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 100000")
    return value


def _similarity(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a similarity above 0 and up to 1")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit code. No traceback reaches the user for a Problem."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except Problem as problem:
        print(f"costconsole: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except UnicodeEncodeError as error:
        print(
            f"costconsole: this terminal can't show {error.object[error.start]!a}: set LC_ALL=C.UTF-8",
            file=sys.stderr,
        )
        return ExitCode.FAILED
    except BrokenPipeError:
        # The reader of our output has left (`| head`): not an error, but stdout must not be flushed again.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        from costconsole.console.crash import write_crash

        kind = type(error).__name__
        print(f"costconsole: this should not happen ({kind}); see {write_crash(error)}", file=sys.stderr)
        return ExitCode.FAILED


def _run(argv: Sequence[str]) -> int:
    args = build_parser().parse_args(argv)
    name = args.command or "console"
    run: Callable[[argparse.Namespace], int] = import_module(f"costconsole.commands.{name}").run
    return run(args)
