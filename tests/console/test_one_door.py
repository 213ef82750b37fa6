"""Data reaches the screen through one door; nothing that blinks, spins or dies silently is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import costconsole.console as package

FOLDER = Path(package.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
# What takes markup: a string that was put together must not get in. `safe(...)` and what is made of it may.
_DOORS = {"update", "Static", "Label", "Markdown", "OptionList", "Button", "Tooltip", "notify", "set_options"}
_TITLES = {"border_title", "border_subtitle", "tooltip"}


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in FILES:
        yield path, ast.parse(path.read_text())


def is_text(node: ast.expr) -> bool:
    """Whether an expression is text put together here: an f-string, `%`, `+`, `.format`, `str(...)`."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp):
        return is_text(node.left) or is_text(node.right)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in ("format", "str", "escape")
    return False


def test_no_text_is_put_together_at_a_widgets_door() -> None:
    wrong = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in _DOORS and any(is_text(argument) for argument in node.args):
                    wrong.append(f"{path.name}:{node.lineno} {name}")
            if isinstance(node, ast.Assign) and is_text(node.value):
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and target.attr in _TITLES:
                        wrong.append(f"{path.name}:{node.lineno} {target.attr}")
    assert not wrong


def test_contents_are_made_in_one_module() -> None:
    """`Content(...)` and `Content.styled` elsewhere would go round the door; so would markup."""
    wrong = []
    for path, tree in trees():
        if path.name == "safe.py":
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in (
                "Content",
                "Content.styled",
                "Content.from_markup",
                "Content.from_text",
                "Text.from_markup",
            ):
                wrong.append(f"{path.name}:{node.lineno} {called}")
    assert not wrong


@pytest.mark.parametrize(
    "name",
    [
        "LoadingIndicator",
        "ProgressBar",
        "DataTable",
        "Sparkline",
        ".loading",
        "RichLog",
        "Footer(",
        "Header(",
    ],
)
def test_nothing_dear_is_used(name: str) -> None:
    assert not [path.name for path in FILES if name in path.read_text()]


def test_workers_never_end_the_console() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    words = ast.unparse(decorator)
                    if words.startswith("work"):
                        assert "exit_on_error=False" in words, f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("run_worker"):
                assert "exit_on_error=False" in ast.unparse(node), f"{path.name}:{node.lineno}"


def test_no_redis_command_in_a_screen() -> None:
    for path in (FOLDER / "screens").glob("*.py"):
        text = path.read_text()
        assert "import redis" not in text, path.name
        assert "execute_command" not in text, path.name


def test_no_colour_is_named_in_a_stylesheet() -> None:
    import re

    for path in FOLDER.glob("*.tcss"):
        assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=\s*[;%])", path.read_text()), path.name


def test_the_first_paint_imports_nothing_heavy() -> None:
    program = (
        "import sys, os\n"
        "from costconsole.console.launch import build_app\n"
        "from costconsole.settings import Settings\n"
        "build_app(Settings(redis_url='redis://127.0.0.1:1'))\n"
        "import costconsole.console.screens.overview\n"
        "heavy = 'torch sentence_transformers transformers redisvl numpy plotext redis httpx pydantic'\n"
        "print([m for m in (heavy + ' genai_prices onnxruntime').split() if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
