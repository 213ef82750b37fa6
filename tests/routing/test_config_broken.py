"""Configs that are broken: each error is named with its line and key, all of them at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costconsole.routing.config import ConfigProblem, load_config, parse_config
from costconsole.routing.document import MAX_CHARS
from costconsole.routing.model import ConfigFinding, RoutingConfig

SMALL = """\
models:
  small: {provider: openai, model: gpt-4o-mini, tier: cheap}
  large: {provider: openai, model: gpt-4o, tier: strong}
"""


def findings(text: str) -> tuple[ConfigFinding, ...]:
    with pytest.raises(ConfigProblem) as raised:
        parse_config(text, "r.yaml")
    return raised.value.findings


def bomb() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True):
        lines.append(f"{name}: &{name} [{','.join(['*' + before] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("", None, "", "the file is empty"),
        ("# nothing but words\n", None, "", "the file is empty"),
        ("hello", 1, "", "found 'hello'; expected keys"),
        ("- a\n- b\n", 1, "", "found a list"),
        ("models:\n\tsmall: {}\n", 2, "", "a tab can't indent"),
        ("models:\n  small:\n    provider: openai\n   model: x\n", 4, "", "the indentation changes here"),
        ("models: {small: {provider: openai\n", 2, "", "bracket"),
        ("models:\n  small: 'x\n  b: 2\n", 4, "", "quote or bracket that opens above never closes"),
        ("models:\n  a: b: c\n", 2, "", "second colon"),
        ("models: *nope\n", 1, "", "no anchor"),
        ("models: &m\n  small: *m\n", 2, "", "stands inside what it names"),
        (bomb(), 6, "", "counting each use of an alias"),
        ("[" * 5000, 1, "", "nested more than"),
        ("models:\n  a\x07b: 1\n", 2, "", "control character"),
        ("models:\n  a\x00b: 1\n", 2, "", "control character"),
        (SMALL + "---\n" + SMALL, 4, "", "a second document"),
        ("models: !!python/object/apply:os.system ['true']\n", 1, "models", "tag"),
        (SMALL + "models: {}\n", 4, "models", "twice"),
        (
            "models:\n  a: {provider: openai, tier: cheap}\n  a: {provider: openai, tier: cheap}\n",
            3,
            "models.a",
            "twice",
        ),
        ("models: {}\n", 1, "models", "no model is given"),
        ("routes: []\n", 1, "models", "no model is given"),
        ("models:\n  a:\n", 2, "models.a", "has no value"),
        ("models: [gpt-4o]\n", 1, "models", "found a list"),
        ("colour: blue\n", 1, "", "nothing in this file belongs to a routing config"),
        ("strategy: {mode: fallback}\ntargets: []\n", 1, "", "Portkey"),
        ("encoder_type: x\nroutes: []\n", 1, "", "semantic-router"),
        (SMALL + "routs: []\n", 4, "routs", "did you mean 'routes'?"),
        (SMALL + "default: smal\n", 4, "default", "did you mean 'small'?"),
        (SMALL + "baseline: [large]\n", 4, "baseline", "found a list"),
        (SMALL + "tiers: {cheap: large}\n", 4, "tiers.cheap", "has the tier strong"),
        (SMALL + "aliases: {small: large}\n", 4, "aliases.small", "has this name already"),
        (SMALL + "aliases: {fast: smal}\n", 4, "aliases.fast", "did you mean 'small'?"),
        (SMALL + "unsure_below: 3\n", 4, "unsure_below", "found 3; expected a similarity"),
        (SMALL + "unsure_below: .nan\n", 4, "unsure_below", "expected a similarity"),
        (SMALL + "sticky: soon\n", 4, "sticky", "such as 30m"),
        (SMALL + "cooldown: -1\n", 4, "cooldown", "found -1"),
        (SMALL + "routes: {a: b}\n", 4, "routes", "found a table; expected a list"),
        (SMALL + "routes: [5]\n", 4, "routes[0]", "found 5"),
        (SMALL + "routes:\n- {name: a, use: cheap}\n", 5, "routes[0]", "when this route is taken"),
        (SMALL + "routes:\n- {name: a, references: [x]}\n", 5, "routes[0].use", "use is missing"),
        (SMALL + "routes:\n- {use: cheap, references: [x]}\n", 5, "routes[0].name", "name is missing"),
        (SMALL + "routes:\n- {task: sumarization}\n", 5, "routes[0].task", "did you mean 'summarization'?"),
        (SMALL + "routes:\n- {task: qa}\n- {task: qa}\n", 6, "routes[1].name", "stands in line 5 already"),
        (SMALL + "routes:\n- {name: a, use: x, task: qa}\n", 5, "routes[0].use", "not a model or a tier"),
        (
            SMALL + "routes:\n- {task: qa, threshold: 1.2}\n",
            5,
            "routes[0].threshold",
            "similarity from 0 to 1",
        ),
        (SMALL + "routes:\n- {task: qa, references: []}\n", 5, "routes[0].references", "empty"),
        (SMALL + "routes:\n- {task: qa, fallbacks: [nope]}\n", 5, "routes[0].fallbacks", "not a model"),
        (SMALL + "routes:\n- {task: qa, when: {}}\n", 5, "routes[0].when", "is empty"),
        (
            SMALL + "routes:\n- {task: qa, when: {keywrds: [a]}}\n",
            5,
            "routes[0].when.keywrds",
            "did you mean 'keywords'?",
        ),
        (SMALL + "routes:\n- {task: qa, when: {code: 3}}\n", 5, "routes[0].when.code", "true or false"),
        (
            SMALL + "routes:\n- {task: qa, when: {min_tokens: 9, max_tokens: 3}}\n",
            5,
            "routes[0].when.max_tokens",
            "nothing fits",
        ),
        (
            SMALL + "routes:\n- task: qa\n  when:\n    patterns:\n    - ok\n    - '[a'\n",
            9,
            "routes[0].when.patterns",
            "'[a': not a regular expression: unterminated character set at character 1",
        ),
        (
            SMALL + "routes:\n- {task: qa, when: {patterns: ['(a+)+$']}}\n",
            5,
            "routes[0].when.patterns",
            "a repeat inside a repeat",
        ),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key(text: str, line: int | None, key: str, words: str) -> None:
    errors = [finding for finding in findings(text) if finding.level == "error"]
    assert any(
        (finding.file, finding.line, finding.key) == ("r.yaml", line, key) and words in finding.message
        for finding in errors
    ), errors


@pytest.mark.parametrize(
    ("inner", "key", "words"),
    [
        ("provider: 5", "provider", "a provider's name"),
        ("provider: acme", "provider", "expected base_url"),
        ("provider: openia", "provider", "did you mean 'openai'?"),
        ("provider: azure", "provider", "has no URL of its own"),
        ("model: wonder-1", "provider", "provider is missing"),
        ("provider: openai, tier: medium", "tier", "found 'medium'; known are: cheap, strong"),
        ("provider: openai, model: [x]", "model", "found a list"),
        ("provider: openai, wire: grpc", "wire", "found 'grpc'"),
        ("provider: openai, base_url: 'ftp://x'", "base_url", "http:// or https://"),
        ("provider: openai, base_url: 'https://host:port/'", "base_url", "http:// or https://"),
        ("provider: openai, context: lots", "context", "found 'lots'; expected a number of tokens"),
        ("provider: openai, rank: 1.5", "rank", "whole number"),
        ("provider: openai, tools: maybe", "tools", "true or false"),
        ("provider: openai, fallbacks: [a]", "fallbacks", "falls back to itself"),
        ("provider: openai, fallbacks: [smal]", "fallbacks", "did you mean 'small'?"),
        ("provider: openai, prices: 3", "prices", "found 3"),
        ("provider: openai, prices: {input: free, output: 1}", "prices.input", "dollars per million tokens"),
        ("provider: openai, prices: {input: 1}", "prices.output", "output is missing"),
        (
            "provider: openai, prices: {inptu: 1, input: 1, output: 1}",
            "prices.inptu",
            "did you mean 'input'?",
        ),
        ("provider: openai, teir: cheap", "teir", "did you mean 'tier'?"),
        ("provider: openai, tier: ~", "tier", "has no value"),
    ],
)
def test_what_is_wrong_with_a_model_is_named(inner: str, key: str, words: str) -> None:
    tier = "" if "tier:" in inner and "teir" not in inner else ", tier: cheap"
    found = findings(SMALL + f"  a: {{{inner}{tier}}}\n")
    assert any(
        (finding.level, finding.line, finding.key) == ("error", 4, f"models.a.{key}")
        and words in finding.message
        for finding in found
    ), found


def test_ten_errors_are_told_at_once() -> None:
    found = findings(
        "models:\n"
        "  small: {provider: openia, tier: cheep}\n"
        "  large: {provider: openai, tier: strong, contxt: 3, fallbacks: [larg]}\n"
        "default: nope\n"
        "sticky: soon\n"
        "aliases: [x]\n"
        "routes:\n"
        "- {name: a, use: smal, references: [x]}\n"
        "- {name: b, use: small, when: {patterns: ['(']}}\n"
        "- {name: b, task: coding, threshold: 7}\n"
    )
    errors = [(finding.line, finding.key) for finding in found if finding.level == "error"]
    assert [line for line, _ in errors] == sorted(line or 0 for line, _ in errors)
    assert set(errors) == {
        (2, "models.small.provider"),
        (2, "models.small.tier"),
        (3, "models.large.contxt"),
        (3, "models.large.fallbacks"),
        (4, "default"),
        (5, "sticky"),
        (6, "aliases"),
        (8, "routes[0].use"),
        (9, "routes[1].when.patterns"),
        (10, "routes[2].name"),
        (10, "routes[2].threshold"),
    }


SECRET = "sk-proj-Zx81QmTnotAnyRealKey77"


@pytest.mark.parametrize(
    "text",
    [
        SMALL + f"  a: {{provider: openai, tier: cheap, api_key: {SECRET}}}\n",
        SMALL + f"  a: {{provider: openai, tier: cheap, key_env: {SECRET}}}\n",
        SMALL + f"  a: {{provider: {SECRET}, tier: {SECRET}}}\n",
        SMALL + f"  a: {{provider: openai, tier: cheap, base_url: 'https://u:{SECRET}@host/v1'}}\n",
        SMALL + f"  a: {{provider: openai, tier: cheap, base_url: 'https://host/v1?key={SECRET}'}}\n",
        SMALL + f"default: {SECRET}\n",
        SMALL + f"{SECRET}: 1\n",
        SMALL + f"routes:\n- {{name: x, use: {SECRET}, when: {{patterns: ['({SECRET}']}}}}\n",
        f"models:\n  a: 'never closed {SECRET}\n",
        f"models:\n  a: {SECRET}: x\n",
        f"models:\n\ta: {SECRET}\n",
        f"model_list:\n- model_name: a\n  litellm_params: {{model: openai/x, api_base: 'https://x:{SECRET}@h'}}\n",
        f"model_list:\n- {{model_name: a, litellm_params: {{api_key: {SECRET}}}}}\n",
        f"name: {SECRET}\nroutes: {SECRET}\nvectorizer: {SECRET}\nrouting_config: {SECRET}\n",
    ],
)
def test_a_secret_is_never_shown(text: str) -> None:
    with pytest.raises(ConfigProblem) as raised:
        parse_config(text, "r.yaml")
    said = str(raised.value) + repr(raised.value.findings)
    assert SECRET not in said
    assert SECRET[8:20] not in said


def read_or_refused(text: str) -> RoutingConfig | None:
    """The config; None where it is refused in words."""
    try:
        return parse_config(text, "r.yaml")
    except ConfigProblem as problem:
        return (
            None
            if any(finding.level == "error" for finding in problem.findings)
            else pytest.fail(str(problem))
        )


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    read_or_refused(text)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_name_in_a_config_that_is_taken_leads_to_a_model(data: st.DataObject) -> None:
    whole = SMALL + "tiers: {cheap: small}\nroutes:\n- {task: qa, when: {tags: [x]}}\naliases: {q: small}\n"
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 12)))
    config = read_or_refused(
        whole[:start] + data.draw(st.text("[]{}:,-&*!|>'\"#%@ \n\tab0~", max_size=6)) + whole[end:]
    )
    if config is not None:
        uses = [route.use for route in config.routes]
        names = [*config.tiers.values(), config.baseline, *filter(None, config.aliases.values())]
        assert all(config.chosen(use) in config.models for use in [*uses, config.default])
        assert all(config.model(name) is not None for name in names)


def refused(path: Path) -> ConfigFinding:
    with pytest.raises(ConfigProblem) as raised:
        load_config(path)
    (finding,) = raised.value.findings
    assert finding.file == str(path)
    return finding


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.yaml").message
    assert "this is a folder" in refused(tmp_path).message
    assert "does not exist" in refused(tmp_path / "a\nb.yaml").message
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"models:\n  caf\xe9: {}\n")
    assert (refused(latin).line, "isn't UTF-8" in refused(latin).message) == (2, True)
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"# " + b"x" * MAX_CHARS + b"\n")
    assert "expected at most" in refused(huge).message
    huge.write_bytes(b"# " + b"x" * MAX_CHARS * 2 + b"\n")
    assert "larger than 4 MB" in refused(huge).message
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert "no regular file" in refused(pipe).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed.yaml"
    path.write_text(SMALL)
    path.chmod(stat.S_IWUSR)
    assert "no permission" in refused(path).message


def test_a_file_in_utf_16_is_read_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text(SMALL, encoding="utf-16")
    assert [model.name for model in load_config(path).models] == ["small", "large"]


def test_a_file_that_is_wrong_all_over_is_told_up_to_a_thousand_findings() -> None:
    lines = [f"  m{i}: {{provider: x{i}, tier: q{i}, teir: a}}" for i in range(600)]
    found = findings("models:\n" + "\n".join(lines))
    assert len(found) == 1000
    assert "did you mean 'tier'?" in " ".join(finding.message for finding in found[:3])
    assert "known are: " in found[-1].message
