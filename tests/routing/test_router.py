"""Which model a call gets, in which order things decide, and what is said about it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from costconsole.domain.errors import Problem, UsageProblem
from costconsole.embedding.local import LocalEmbedder
from costconsole.routing.defaults import default_config
from costconsole.routing.model import TASKS, Model, Route, RoutingConfig, Rule, SemanticRule
from costconsole.routing.router import Ask, Choice, Router
from tests.routing.prompts import FOREIGN, PASSAGE, PROMPTS, SAME_FIELDS, SUPPORT


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def model(name: str, rank: int, **more: Any) -> Model:
    tier = "strong" if rank >= 10 else "cheap"
    return Model(name=name, provider="p", model=name, wire="openai", tier=tier, rank=rank, **more)


def config(*routes: Route, **more: Any) -> RoutingConfig:
    """Four models of rising capability: tiny reads little, mini takes no tools."""
    found: dict[str, Any] = {
        "models": (
            model("tiny", 0, context_tokens=1_000, fallbacks=("mini", "big")),
            model("mini", 1, tools=False, fallbacks=("tiny", "big")),
            model("big", 10, context_tokens=50_000, fallbacks=("mini", "huge")),
            model("huge", 11),
        ),
        "routes": routes,
        "tiers": {"cheap": "tiny", "strong": "big"},
        "default": "strong",
        "baseline": "big",
        "aliases": {"auto": "", "quick": "tiny"},
        "source": "test.yaml",
        "format": "native",
        "version": "1",
    }
    return RoutingConfig(**(found | more))


TASK_ROUTES = tuple(Route(name=task, task=task, use=tier) for task, tier in TASKS.items())


def ask(*turns: str, requested: str = "auto", **more: Any) -> Ask:
    """A conversation whose turns are the user's and the assistant's in alternation."""
    roles = ("user", "assistant")
    messages = tuple({"role": roles[i % 2], "content": text} for i, text in enumerate(turns))
    return Ask(messages=messages, requested=requested, **more)


@pytest.fixture(scope="module")
def router(embedder: LocalEmbedder) -> Router:
    found = Router(default_config({}), embedder=embedder)
    found.start()
    assert found.wait(60)
    return found


def meant(router: Router, prompt: str) -> Choice:
    return router.decide(router.with_vector(ask(prompt)))


# By meaning


@pytest.mark.parametrize("task", TASKS)
def test_most_prompts_of_each_task_find_it_out_of_the_box(router: Router, task: str) -> None:
    found = Counter(meant(router, prompt).task for prompt in PROMPTS[task])
    assert found[task] >= 5, found


def test_nine_of_ten_prompts_get_the_right_tier(router: Router) -> None:
    wrong = [
        prompt
        for task, prompts in PROMPTS.items()
        for prompt in prompts
        if meant(router, prompt).model.tier != TASKS[task]
    ]
    assert len(wrong) <= sum(map(len, PROMPTS.values())) // 10, wrong


@pytest.mark.parametrize("form", ["{prompt}\n\n{passage}", "{passage}\n\n{prompt}"])
def test_a_pasted_passage_does_not_change_the_route(router: Router, form: str) -> None:
    for task in ("summarization", "extraction"):
        for prompt in PROMPTS[task]:
            whole = form.format(prompt=prompt, passage=PASSAGE)
            assert meant(router, whole).route == meant(router, prompt).route, prompt


def test_questions_to_a_help_desk_are_simple(router: Router) -> None:
    wrong = [prompt for prompt in SUPPORT if meant(router, prompt).model.tier != "cheap"]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("tier", SAME_FIELDS)
def test_what_else_is_asked_about_the_same_things_keeps_its_tier(router: Router, tier: str) -> None:
    wrong = [prompt for prompt in SAME_FIELDS[tier] if meant(router, prompt).model.tier != tier]
    assert len(wrong) <= 1, wrong


def test_words_around_a_question_do_not_change_its_tier(router: Router) -> None:
    frames = (
        "I'm asking for a colleague. {}",
        "Quick question: {}",
        "{} Short answer, please.",
        "Hello! {} Thanks!",
    )
    wrong = [
        framed
        for prompt in (
            *SUPPORT[5:6],
            *SUPPORT[7:9],
            *SUPPORT[13:14],
            *PROMPTS["coding"][:3],
            *PROMPTS["creative"][:3],
        )
        for frame in frames
        if meant(router, framed := frame.format(prompt)).model.tier != meant(router, prompt).model.tier
    ]
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("task", FOREIGN)
def test_common_languages_are_understood(router: Router, task: str) -> None:
    for prompt in FOREIGN[task]:
        choice = meant(router, prompt)
        assert choice.task == task, prompt
        assert choice.model.tier in (TASKS[task], "strong"), prompt


@pytest.mark.parametrize("prompt", ["summarize", "Summarize.", "TL;DR", "classify", "extract"])
def test_an_order_of_one_word_is_enough(router: Router, prompt: str) -> None:
    assert meant(router, prompt).model.tier == "cheap"


def test_pasted_data_and_code_do_not_hide_what_is_asked(router: Router) -> None:
    data = '{"id": 17, "customer": {"name": "Ada Vos", "city": "Ghent"}, "total": 19.0}'
    assert meant(router, f"Extract the customer and the total:\n{data}").task == "extraction"
    code = "for (int i = 0; i <= n; i++) { sum += a[i]; }"
    assert meant(router, f"{code}\nwhat is wrong with this loop").model.tier == "strong"
    ticket = "Since Monday the app shows my invoice twice and I was charged 24.00 two times. Please help!"
    assert meant(router, f"Which department has to deal with this ticket?\n{ticket}").task == "classification"


@pytest.mark.parametrize("prompt", ["qwrt zxcv plmk", "hello", "ok", "🙂🙂🙂", "ཀ་ཁ་ག་ང"])
def test_what_is_like_no_example_goes_to_the_strong_model(router: Router, prompt: str) -> None:
    choice = meant(router, prompt)
    assert (choice.kind, choice.model.tier) == ("unsure", "strong")
    assert "unsure" in choice.reason


def test_every_route_has_a_score_and_the_reason_names_the_task(router: Router) -> None:
    choice = meant(router, "Write a haiku about rust.")
    assert set(choice.scores) == set(TASKS)
    assert sum(choice.scores.values()) == pytest.approx(1.0)
    assert max(choice.scores, key=lambda name: choice.scores[name]) == choice.route == "creative"
    assert "creative" in choice.reason
    assert choice.similarity is not None
    assert choice.similarity > 0.3


@pytest.mark.parametrize("prompt", ["", "   \n"])
def test_an_empty_prompt_gets_the_default(router: Router, prompt: str) -> None:
    choice = meant(router, prompt)
    assert choice.kind == "default"
    assert not choice.needs_vector


def test_without_an_embedding_the_wording_decides_where_it_is_clear(router: Router) -> None:
    clear = router.decide(ask("Summarize the article in three sentences."))
    assert (clear.route, clear.needs_vector) == ("summarization", True)
    assert clear.similarity is None
    vague = router.decide(ask("Something about the sea"))
    assert (vague.kind, vague.model.tier) == ("unsure", "strong")


def test_an_embedder_that_fails_is_said_and_the_wording_decides() -> None:
    class Broken:
        name, dims, status = "broken", None, "failed: no model"

        def embed(self, texts: object) -> list[Any]:
            raise Problem("the embedding model is not there")

        def start(self) -> None: ...

        def close(self) -> None: ...

    router = Router(config(*TASK_ROUTES), embedder=Broken())  # type: ignore[arg-type]
    router.start()
    assert not router.wait(10)
    assert router.status == "failed: the embedding model is not there"
    assert router.decide(ask("Summarize the article in three sentences.")).model.name == "tiny"


def test_a_vector_of_another_model_is_not_used(router: Router) -> None:
    choice = router.decide(replace(ask("Write a haiku."), vector=b"\0" * 12))
    assert choice.needs_vector


def test_a_route_with_examples_of_its_own(embedder: LocalEmbedder) -> None:
    refunds = Route(
        name="refunds",
        references=("I want my money back", "how do I get a refund", "refund for a broken item"),
        threshold=0.6,
        use="mini",
    )
    router = Router(config(refunds, *TASK_ROUTES), embedder=embedder)
    router.start()
    assert router.wait(60)
    near = router.decide(router.with_vector(ask("how can i get a refund for this item")))
    assert (near.route, near.model.name) == ("refunds", "mini")
    assert near.scores["refunds"] >= 0.6
    far = router.decide(router.with_vector(ask("What is the capital of Peru?")))
    assert far.route == "qa"
    assert far.scores["refunds"] < 0.6


def test_a_task_without_a_route_gets_the_default(embedder: LocalEmbedder) -> None:
    router = Router(config(Route(name="sums", task="summarization", use="mini")), embedder=embedder)
    router.start()
    assert router.wait(60)
    assert router.decide(router.with_vector(ask("Summarize the report."))).model.name == "mini"
    other = router.decide(router.with_vector(ask("Write a Python function that sorts a list.")))
    assert (other.kind, other.model.name) == ("default", "big")
    assert "coding" in other.reason


@pytest.mark.parametrize(
    ("aggregation", "prompt", "route"),
    [
        ("min", "will it rain today", "weather"),
        ("avg", "will it rain today", "weather"),
        ("sum", "will it rain today", "weather"),
        ("min", "a recipe for apple pie", ""),
    ],
)
def test_a_redisvl_router_decides_by_its_own_rule(
    embedder: LocalEmbedder, aggregation: Any, prompt: str, route: str
) -> None:
    routes = (
        Route(name="billing", references=("invoice is wrong", "where is my bill"), use="mini", strict=True),
        Route(name="weather", references=("will it rain today",), use="huge", strict=True),
    )
    rule = SemanticRule(
        router="r",
        aggregation=aggregation,
        max_k=1,
        distances={"billing": 0.4, "weather": 0.4},
        vectorizer="hf",
        vectorizer_model="m",
    )
    router = Router(config(*routes, semantic=rule), embedder=embedder)
    router.start()
    assert router.wait(60)
    choice = router.decide(router.with_vector(ask(prompt)))
    assert choice.route == route
    assert choice.kind == ("task" if route else "default")


# By name and rules


def test_a_model_that_was_named_is_taken() -> None:
    router = Router(config(*TASK_ROUTES))
    assert router.decide(ask("Write a poem.", requested="tiny")).model.name == "tiny"
    alias = router.decide(ask("Write a poem.", requested="quick"))
    assert (alias.kind, alias.model.name) == ("explicit", "tiny")
    assert "quick" in alias.reason
    assert not router.needs_vector(ask("Write a poem.", requested="quick"))


def test_an_unknown_model_is_an_error_that_names_the_known() -> None:
    with pytest.raises(UsageProblem, match=r"test\.yaml has no model or alias 'gpt-9'.*auto.*tiny"):
        Router(config()).decide(ask("hi", requested="gpt-9"))


RULES = {
    "tag": Route(name="by-tag", use="huge", rule=Rule(tags=("billing",))),
    "tools": Route(name="by-tools", use="huge", rule=Rule(tools=True)),
    "code": Route(name="by-code", use="huge", rule=Rule(code=True)),
    "length": Route(name="by-length", use="huge", rule=Rule(min_tokens=500)),
    "keywords": Route(name="by-keyword", use="huge", rule=Rule(keywords=("contract", "C++"))),
    "pattern": Route(name="by-pattern", use="huge", rule=Rule(patterns=(re.compile(r"case \d+"),))),
}


@pytest.mark.parametrize(
    ("kind", "asked", "other"),
    [
        ("tag", ask("hi", tag="billing"), ask("hi", tag="bill")),
        ("tools", ask("hi", tools=True), ask("hi")),
        ("code", ask("What is this?\n```\nx = 1\n```"), ask("What is this?")),
        ("length", ask("hi", input_tokens=500), ask("hi", input_tokens=499)),
        ("keywords", ask("Read the CONTRACT."), ask("Read the contractor's note.")),
        ("keywords", ask("Is C++ hard?"), ask("Is C hard?")),
        ("pattern", ask("Open case 12."), ask("Open case twelve.")),
    ],
)
def test_rules(kind: str, asked: Ask, other: Ask) -> None:
    router = Router(config(RULES[kind]))
    choice = router.decide(asked)
    assert (choice.kind, choice.route, choice.model.name) == (kind, f"{RULES[kind].name}", "huge")
    assert RULES[kind].name in choice.reason
    assert router.decide(other).kind == "default"


def test_rules_by_tag_come_first_and_all_conditions_must_hold() -> None:
    both = Route(name="both", use="mini", rule=Rule(keywords=("poem",), max_tokens=100))
    router = Router(config(both, RULES["keywords"], RULES["tag"]))
    assert router.decide(ask("a poem about a contract", tag="billing")).route == "by-tag"
    assert router.decide(ask("a poem about a contract")).route == "both"
    assert router.decide(ask("a poem about a contract", input_tokens=101)).route == "by-keyword"


def test_a_keyword_in_a_pasted_passage_does_not_count() -> None:
    router = Router(config(Route(name="sea", use="mini", rule=Rule(keywords=("lighthouse",)))))
    assert router.decide(ask(f"Translate this.\n\n{PASSAGE}")).kind == "default"


# What a model can take


def test_a_prompt_that_is_too_long_goes_to_a_model_that_reads_it() -> None:
    route = Route(name="all", use="tiny", rule=Rule(tags=("t",)))
    router = Router(config(route))
    assert router.decide(ask("hi", tag="t", input_tokens=1_000)).model.name == "tiny"
    longer = router.decide(ask("hi", tag="t", input_tokens=1_001))
    assert (longer.model.name, longer.kind) == ("mini", "length")
    assert "1,001" in longer.reason
    # mini takes no tools, big reads 50,000 tokens: only huge is left.
    assert router.decide(ask("hi", tag="t", tools=True, input_tokens=60_000)).model.name == "huge"
    assert router.decide(ask("word " * 40_000, tag="t", tools=True)).model.name == "huge"


def test_fallbacks_go_upwards_only_and_fit() -> None:
    router = Router(config(Route(name="r", use="big", fallbacks=("tiny", "huge"), rule=Rule(tags=("t",)))))
    choice = router.decide(ask("hi", tag="t"))
    assert [other.name for other in choice.fallbacks] == ["huge"]
    lower = router.decide(ask("hi", requested="mini", tools=True))
    assert [other.name for other in lower.fallbacks] == ["big"]


def test_a_model_that_failed_rests_for_a_while() -> None:
    clock = Clock()
    route = Route(name="r", use="tiny", rule=Rule(tags=("t",)))
    router = Router(config(route, cooldown_s=60, sticky_s=0), now=clock)
    tagged = ask("hi", tag="t")
    router.note_failure("tiny")
    instead = router.decide(tagged)
    assert instead.model.name == "mini"
    assert "tiny failed" in instead.reason
    assert router.resting() == {"tiny": 60.0}
    clock.now += 60
    assert router.decide(tagged).model.name == "tiny"
    router.note_failure("tiny")
    clock.now += 61
    assert router.decide(tagged).model.name == "mini", "the second rest is longer"
    router.note_success("tiny")
    assert router.decide(tagged).model.name == "tiny"


def test_when_all_rest_the_one_that_was_meant_is_asked() -> None:
    router = Router(config(Route(name="r", use="tiny", rule=Rule(tags=("t",)))))
    for name in ("tiny", "mini", "big", "huge"):
        router.note_failure(name)
    assert router.decide(ask("hi", tag="t")).model.name == "tiny"


# Conversations


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sticky(clock: Clock) -> Router:
    poems = Route(name="poems", use="tiny", rule=Rule(keywords=("poem",)))
    laws = Route(name="laws", use="huge", rule=Rule(keywords=("law",)))
    return Router(config(poems, laws, RULES["tag"], sticky_s=600), now=clock)


TALK = ("Write a poem.", "Roses are red.", "Now explain the law.")


def test_a_conversation_keeps_its_model(sticky: Router, clock: Clock) -> None:
    assert sticky.decide(ask(TALK[0])).model.name == "tiny"
    clock.now += 599
    later = sticky.decide(ask(*TALK))
    assert (later.kind, later.model.name, later.route) == ("sticky", "tiny", "poems")
    assert not sticky.needs_vector(ask(*TALK))
    clock.now += 600
    assert sticky.decide(ask(*TALK)).model.name == "huge"


def test_the_same_first_words_begin_another_conversation(sticky: Router) -> None:
    sticky.decide(ask("poem", "x", "go on"))
    assert sticky.decide(ask("poem")).kind == "keywords"
    given = ask("The law, please.", conversation="abc")
    assert sticky.decide(given).model.name == "huge"
    assert sticky.decide(ask("A poem.", conversation="abc")).kind == "sticky"


def test_what_the_model_cannot_take_ends_it(sticky: Router) -> None:
    sticky.decide(ask(TALK[0]))
    assert sticky.decide(ask(*TALK, input_tokens=2_000)).model.name == "huge"
    assert sticky.decide(ask(*TALK)).model.name == "huge", "it stays with the one that has read it all"


def test_a_tag_and_a_failure_end_it_too(sticky: Router) -> None:
    sticky.decide(ask(TALK[0]))
    assert sticky.decide(ask(*TALK, tag="billing")).kind == "tag"
    sticky.decide(ask("A poem on trees."))
    sticky.note_failure("tiny")
    assert sticky.decide(ask("A poem on trees.", "x", "and the law")).model.name == "huge"


def test_another_config_is_taken_at_once(sticky: Router) -> None:
    sticky.decide(ask(TALK[0]))
    small = (model("solo", 5),)
    sticky.update(
        config(models=small, tiers={"cheap": "solo", "strong": "solo"}, baseline="solo", aliases={"auto": ""})
    )
    assert sticky.decide(ask(*TALK)).model.name == "solo"


def test_with_routing_off_the_default_answers(sticky: Router) -> None:
    choice = sticky.default(ask("Write a poem."))
    assert (choice.kind, choice.model.name) == ("default", "big")
    assert sticky.default(ask("Write a poem.", requested="tiny")).kind == "explicit"
