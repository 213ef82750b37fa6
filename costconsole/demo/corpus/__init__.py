"""What the demo's users ask, and what they are told: intents, each with many wordings and one answer.

The TOML files beside this module hold one area each; `slots.toml` what `{slots}` are filled with.
`prompts` are real paraphrases; `variants` differ from one of them only on the surface (casing, politeness,
typos, punctuation). Two intents may be a *pair*: they read alike and need different answers.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that people want to know. `id` is `area.name`; `pair` the id of its near twin, or ""."""

    id: str
    area: str
    tag: str
    task: str
    model: str
    system: str
    pair: str
    prompts: tuple[str, ...]
    variants: tuple[str, ...]
    answer: str

    @property
    def wordings(self) -> tuple[str, ...]:
        return self.prompts + self.variants


@dataclass(frozen=True, slots=True)
class Corpus:
    """All intents, by area in the order of the files, and what each slot can be."""

    intents: tuple[Intent, ...]
    slots: Mapping[str, tuple[str, ...]]

    @property
    def areas(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(intent.area for intent in self.intents))

    @property
    def pairs(self) -> tuple[tuple[Intent, Intent], ...]:
        """Each near pair once."""
        by_id = {intent.id: intent for intent in self.intents}
        return tuple((i, by_id[i.pair]) for i in self.intents if i.pair and i.id < i.pair)


def slots_of(text: str) -> tuple[str, ...]:
    """The names of the slots in a text, each once, in their order."""
    return tuple(dict.fromkeys(_SLOT.findall(text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its slots filled; a slot without a value, and any other brace, stays as it is."""
    return _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), text)


@cache
def load_corpus() -> Corpus:
    """Read the packaged corpus (about 10 ms, once a process)."""
    folder = files(__package__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    tables = {name: tomllib.loads(folder.joinpath(name).read_text("utf-8")) for name in names}
    slots = {name: tuple(values) for name, values in tables.pop("slots.toml").items()}
    return Corpus(tuple(_intent(area, i) for area in tables.values() for i in area["intent"]), slots)


def _intent(area: Mapping[str, str], found: Mapping[str, object]) -> Intent:
    own = {"text": str(found.get("text", ""))}

    def wordings(name: str) -> tuple[str, ...]:
        listed = found[name]
        assert isinstance(listed, list)
        return tuple(filled(wording, own) for wording in listed)

    return Intent(
        id=str(found["id"]),
        area=area["area"],
        tag=area["tag"],
        task=str(found.get("task", "question")),
        model=str(found.get("model", area["model"])),
        system=area["system"],
        pair=str(found.get("pair", "")),
        prompts=wordings("prompts"),
        variants=wordings("variants"),
        answer=str(found["answer"]).strip(),
    )
