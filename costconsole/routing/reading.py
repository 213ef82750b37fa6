"""Takes typed values out of a document and writes down everything that is not as expected."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeVar

from costconsole.domain.redact import redact
from costconsole.domain.text import first_words
from costconsole.routing.document import Value
from costconsole.routing.model import ConfigFinding, Level

T = TypeVar("T", bound=str)

_SHOWN = 40
_MAX_HINTS = 40
_MAX_KNOWN = 500
_MAX_FINDINGS = 1_000
_SECRET_KEY = re.compile(
    r"(?i)(?:api|access|secret|master|private|virtual|aws|account|encryption|salt)_?key"
    r"|secret|(?:api|access|auth|bearer|refresh|session|hf|^)_?token$|passw|credential|authorization"
)
_SECRET_LOOK = re.compile(
    r"(?<![A-Za-z0-9])(?:sk|pk|rk|gsk|csk|xai|tvly|hf|r8|fw|nvapi|pplx|AIza|AKIA)[-_]?[\w.-]{12,}"
    r"|(?<![A-Za-z0-9])sk[-_][\w-]{4,}|(?<!\w)[0-9a-fA-F]{32,}(?!\w)"
)
_LONG_WORD = re.compile(r"[\w+=-]{32,}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_UNIT_S = {None: 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
ENV_PREFIX = "os.environ/"
"""What stands before the name of a variable, where a value is to be taken from the environment."""


def is_secret_key(key: str) -> bool:
    """Whether a value under this key is one that must never be shown."""
    return bool(_SECRET_KEY.search(key.rpartition(".")[2]))


def variable_of(text: str) -> str | None:
    """The variable that `os.environ/NAME` names, or None."""
    name = text.strip().removeprefix(ENV_PREFIX)
    return name if text.strip().startswith(ENV_PREFIX) and _VARIABLE.fullmatch(name) else None


def looks_secret(text: str) -> bool:
    """Whether `text` may be a key: by the beginnings that makers give theirs, or as long random words are."""
    if _SECRET_LOOK.search(text) or redact(text) != text:
        return True
    # Upper case, lower case and digits in one long word: names of models are all lower case.
    return any(
        re.search("[A-Z]", word) and re.search("[a-z]", word) and re.search("[0-9]", word)
        for word in _LONG_WORD.findall(text)
    )


def quoted(text: str, limit: int = _SHOWN) -> str:
    """A name out of a file, quoted for a message; never one that may be a secret."""
    return "a name (not shown: it may be a secret)" if looks_secret(text) else repr(first_words(text, limit))


def shown(value: Value, key: str = "") -> str:
    """How a wrong value is named in a message: never a secret, never long."""
    match value.kind:
        case "list" | "table":
            return f"a {value.kind}"
        case "nothing":
            return "nothing"
    if is_secret_key(key) or looks_secret(value.raw):
        return "a value (not shown: it may be a secret)"
    return repr(first_words(value.raw, _SHOWN)) if value.kind == "text" else first_words(value.raw, _SHOWN)


class Reader:
    """Reads values of one file. A value that is wrong becomes a finding, and what stands for it None."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[ConfigFinding] = []
        self._said: set[tuple[int | None, str, str]] = set()
        self._hints = 0

    @property
    def failed(self) -> bool:
        return any(finding.level == "error" for finding in self.findings)

    def say(self, level: Level, line: int | None, key: str, message: str) -> None:
        if (line, key, message) in self._said:
            return
        self._said.add((line, key, message))
        # Beyond so many nobody reads on; an error is still an error.
        if len(self.findings) < _MAX_FINDINGS or (level == "error" and not self.failed):
            self.findings.append(ConfigFinding(level, self.file, line, key, message))

    def did_you_mean(self, word: str, known: Iterable[str]) -> str:
        """`did you mean X?` for a name that is unknown, else what is known."""
        from costconsole.settings import nearest

        # Comparing words is slow: a file that is wrong all over gets a list instead.
        self._hints += 1
        some = list(islice(known, _MAX_KNOWN))
        if not some:
            return "there is none"
        listed = ", ".join(sorted(some)[:20] if len(some) < _MAX_KNOWN else some[:20])
        listed = f"known are: {listed}{', …' if len(some) > 20 else ''}"
        if self._hints > _MAX_HINTS:
            return listed
        guess = nearest(word[:80], some)
        return guess if guess.startswith("did") else listed

    def error(self, line: int | None, key: str, message: str) -> None:
        self.say("error", line, key, message)

    def warning(self, line: int | None, key: str, message: str) -> None:
        self.say("warning", line, key, message)

    def wrong(self, value: Value, key: str, expected: str) -> None:
        self.error(value.line, key, f"found {shown(value, key)}; expected {expected}")

    def table(
        self, value: Value | None, key: str, known: Iterable[str] | None = None, *, example: str = ""
    ) -> Mapping[str, Value]:
        """The keys of a table, those without a value left out; {} where it is none.

        With `known`, other keys are errors, but for those with x- before them: they are for anchors.
        """
        if value is None:
            return {}
        self._check_odd(value, key)
        if value.kind != "table":
            self.wrong(value, key, "keys with values below it" + (f", such as {example}" if example else ""))
            return {}
        prefix = f"{key}." if key else ""
        names = () if known is None else tuple(known)
        if known is not None:
            for name in value.table:
                if name not in names and not name.startswith("x-"):
                    hint = self.did_you_mean(name, names)
                    shown_name = "…" if looks_secret(name) else first_words(name, _SHOWN)
                    self.error(value.keys.get(name), f"{prefix}{shown_name}", f"this key is unknown; {hint}")
        found = {}
        for name, inner in value.table.items():
            if inner.kind != "nothing":
                found[name] = inner
            elif known is not None and name in names:
                self.error(inner.line, f"{prefix}{name}", "has no value: write one, or drop the key")
        return found

    def _check_odd(self, value: Value, key: str) -> None:
        if value.odd:
            self.error(value.line, key, f"found {value.odd}; expected plain YAML")
        for name, line in value.duplicates:
            place = f"{key}.{name}" if key else name
            self.error(line, place, "this key stands here twice: keep one of them")

    def items(self, value: Value | None, key: str, example: str = "[a, b]") -> list[Value]:
        if value is None:
            return []
        self._check_odd(value, key)
        if value.kind != "list":
            self.wrong(value, key, f"a list, such as {example}")
            return []
        return value.items

    def text(
        self, value: Value | None, key: str, expected: str = "a text", *, loose: bool = False
    ) -> str | None:
        """A non-empty text; with `loose`, also a number or yes/no as it was written."""
        if value is None:
            return None
        self._check_odd(value, key)
        if value.kind in ("number", "yes/no") and loose:
            return value.raw
        if value.kind != "text" or not value.raw.strip():
            self.wrong(value, key, expected)
            return None
        return value.raw.strip()

    def texts(
        self, value: Value | None, key: str, expected: str = "a text"
    ) -> tuple[tuple[str, int | None], ...]:
        """The texts of a list, each with its line; one text alone is a list of one."""
        if value is not None and value.kind in ("text", "number", "yes/no"):
            one = self.text(value, key, expected, loose=True)
            return () if one is None else ((one, value.line),)
        found = []
        items = self.items(value, key)
        if value is not None and value.kind == "list" and not items:
            self.error(value.line, key, f"this list is empty; expected {expected}, or drop the key")
        for i, item in enumerate(items):
            text = self.text(item, f"{key}[{i}]", expected, loose=True)
            if text is not None:
                found.append((text, item.line))
        return tuple(found)

    def number(
        self, value: Value | None, key: str, low: float, high: float, expected: str, *, whole: bool = False
    ) -> float | None:
        if value is None:
            return None
        self._check_odd(value, key)
        found = value.scalar
        if value.kind == "number" and isinstance(found, int | float) and math.isfinite(found):
            fits = low <= found <= high and (not whole or float(found).is_integer())
            if fits:
                return found
        self.wrong(value, key, expected)
        return None

    def whole(self, value: Value | None, key: str, low: int, high: int, expected: str) -> int | None:
        found = self.number(value, key, low, high, expected, whole=True)
        return None if found is None else int(found)

    def yes_no(self, value: Value | None, key: str) -> bool | None:
        if value is None:
            return None
        if value.kind == "yes/no" and isinstance(value.scalar, bool):
            return value.scalar
        self.wrong(value, key, "true or false")
        return None

    def choice(self, value: Value | None, key: str, choices: Iterable[T]) -> T | None:
        text = self.text(value, key, "one of " + ", ".join(choices))
        if value is None or text is None:
            return None
        for choice in choices:
            if text == choice:
                return choice
        self.error(value.line, key, f"found {shown(value, key)}; {self.did_you_mean(text, choices)}")
        return None

    def seconds(self, value: Value | None, key: str) -> int | None:
        """A duration: seconds, or a number with s, m, h or d; `off` is 0."""
        if value is None:
            return None
        if value.kind == "yes/no" and value.scalar is False:
            return 0
        match = _DURATION.fullmatch(value.raw) if value.kind in ("text", "number") else None
        if match is None or float(match[1]) * _UNIT_S[match[2]] > 31 * 86_400:
            self.wrong(value, key, "a duration up to 31d, such as 30m or 90s, or off")
            return None
        return round(float(match[1]) * _UNIT_S[match[2]])

    def variable(self, value: Value | None, key: str) -> str:
        """The name of an environment variable. A literal key in its place is never kept nor shown."""
        if value is None:
            return ""
        name = value.raw.strip().removeprefix(ENV_PREFIX)
        likely_key = name != name.upper() and looks_secret(name)
        if value.kind != "text" or not _VARIABLE.fullmatch(name) or likely_key:
            self.error(
                value.line,
                key,
                "expected the name of an environment variable, such as OPENAI_API_KEY, not the key itself "
                "(not shown)",
            )
            return ""
        return name

    def base_url(self, value: Value | None, key: str) -> str | None:
        """A URL, or `os.environ/NAME`. Passwords and query strings don't belong in it and aren't shown."""
        from urllib.parse import urlsplit

        text = self.text(value, key, "a URL, such as https://llm.example/v1")
        if value is None or text is None or variable_of(text):
            return text
        try:
            split = urlsplit(text)
            host, _ = split.hostname, split.port
        except ValueError:
            host = None
            split = urlsplit("")
        if split.scheme not in ("http", "https") or not host:
            self.error(
                value.line, key, "expected a URL that begins with http:// or https:// and names a host"
            )
            return None
        if split.username or split.password or split.query:
            self.error(
                value.line,
                key,
                "this URL holds a user, a password or a query (not shown); expected scheme, host and path "
                "only: name the key's variable with key_env",
            )
            return None
        return text
