"""`costconsole completion bash|zsh|fish`: a script made from the same parser that reads the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from costconsole.cli import build_parser
from costconsole.commands.session import DONE


def run(args: argparse.Namespace) -> int:
    words = dict(_words(build_parser()))
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](words), end="")
    return DONE


def _words(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """(command path, what may follow it), the bare program first."""
    flags: list[str] = []
    below: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        flags += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            below += action.choices.items()
        elif not action.option_strings and action.choices:
            flags += [str(choice) for choice in action.choices]
    yield path, [name for name, _ in below] + flags
    for name, child in below:
        yield from _words(child, f"{path} {name}".strip())


def _bash(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f'    "{path}") found="{" ".join(found)}" ;;' for path, found in words.items())
    return f"""\
_costconsole() {{
  local word path="" found=""
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *) path="${{path:+$path }}$word" ;; esac
  done
  while :; do
    case $path in
{cases}
    esac
    [ -n "$found" ] || [ -z "$path" ] && break
    case $path in *" "*) path=${{path% *}} ;; *) path="" ;; esac
  done
  COMPREPLY=( $(compgen -W "$found" -- "${{COMP_WORDS[COMP_CWORD]}}") )
}}
complete -F _costconsole costconsole
"""


def _zsh(words: dict[str, list[str]]) -> str:
    return "autoload -U +X bashcompinit && bashcompinit\n" + _bash(words)


def _fish(words: dict[str, list[str]]) -> str:
    lines = ["complete -c costconsole -f"]
    for path, found in words.items():
        if path:
            last = path.split()[-1]
            condition = f"-n '__fish_seen_subcommand_from {last}'"
        else:
            condition = "-n __fish_use_subcommand"
        for word in found:
            option = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            lines.append(f"complete -c costconsole {condition} {option}")
    return "\n".join(lines) + "\n"
