"""Settings: flags > environment > project file > user file > defaults, as one frozen object.

Each setting is one row of `SETTINGS`: its place in the file, its variable, how it is read. Every value
remembers where it came from, so that a wrong one can be named together with its source.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal

from costconsole.domain.errors import UsageProblem

PROJECT_FILE = "costconsole.toml"
Charset = Literal["braille", "block", "ascii"]
Prompts = Literal["preview", "full", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose. `origins` maps a field to where its value came from (`default` if absent)."""

    redis_url: str | None = None
    redis_username: str | None = None
    redis_password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    ledger_url: str | None = None
    namespace: str = "default"
    theme: str = "costconsole-dark"
    read_only: bool = False
    refresh_s: float = 1.0
    window: str = "1h"
    mouse: bool = True
    charset: Charset = "braille"
    timezone: str | None = None
    redact: bool = False
    prompts: Prompts = "preview"
    embedding_model: str = "all-MiniLM-L6-v2"
    embedding_url: str | None = None
    embedding_key_env: str = "OPENAI_API_KEY"
    routing: str | None = None
    """The file of the routing config; without one the defaults route."""
    prices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keymap: Mapping[str, str] = field(default_factory=dict)
    caches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Caches made by hand, by name: their prefix and what their fields are called."""
    minimize_level: Literal["safe", "strong"] = "safe"
    minimize_boilerplate: tuple[str, ...] = ()
    """Expressions (RE2) for lines of prompts that say nothing."""
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def tz(self) -> tzinfo:
        """The operator's time zone: the one that was set, else the machine's."""
        from zoneinfo import ZoneInfo

        if self.timezone:
            return ZoneInfo(self.timezone)
        name = os.environ.get("TZ", "").removeprefix(":")
        candidates = [name] if name else []
        link = Path("/etc/localtime")
        if not name and link.is_symlink():
            candidates.append(str(link.resolve()).partition("zoneinfo/")[2])
        for candidate in candidates:
            try:
                return ZoneInfo(candidate)
            except (KeyError, OSError, ValueError):
                continue
        from datetime import datetime

        # A machine without a named zone still has an offset.
        local = datetime.now().astimezone().tzinfo
        assert local is not None
        return local


Read = Callable[[object], object]


class Expected(ValueError):
    """What a reader expected at a place inside its value, such as `support.metric`, and what was there."""

    def __init__(self, expected: str, place: str, value: object) -> None:
        super().__init__(expected)
        self.place = place
        self.value = value


def _string(value: object) -> object:
    if not isinstance(value, str) or not value:
        raise ValueError("a non-empty text")
    return value


def _yes_no(value: object) -> object:
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "on": True}
    known |= {"0": False, "false": False, "no": False, "off": False, "": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise ValueError("true or false")


def _refresh(value: object) -> object:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = -1.0
    if not 0.5 <= seconds <= 3600:
        raise ValueError("seconds from 0.5 to 3600")
    return seconds


def _one_of(*choices: str) -> Read:
    def read(value: object) -> object:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value

    return read


def _window(value: object) -> object:
    from costconsole.domain.window import parse_window

    try:
        return parse_window(str(value)).label
    except UsageProblem as problem:
        raise ValueError(f"a window such as 1h ({problem})") from None


def _zone(value: object) -> object:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(str(value))
    except (KeyError, OSError, ValueError):
        raise ValueError("a time zone such as Europe/Vienna") from None
    return str(value)


def _price_table(value: object) -> object:
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        raise ValueError('tables such as [prices."openai/my-model"] with input and output in $ per million')
    units = ["input", "output", "cached_input", "cache_write_5m", "cache_write_1h"]
    known = units + [f"batch_{name}" for name in units]
    for model, table in value.items():
        for name, price in table.items():
            if name not in known:
                raise ValueError(f"{nearest(name, known)} (in prices.{model}, not {name!r})")
            if isinstance(price, bool) or not isinstance(price, int | float | str):
                raise ValueError(f"dollars per million tokens for prices.{model}.{name}, such as 0.15")
    return value


_CACHE_TEXTS = (
    *("prefix", "index", "template", "vector"),
    *("prompt", "response", "model", "created", "hits", "scope"),
)
_CACHE_CHOICES = {
    "type": ("hash", "json"),
    "created_unit": ("s", "ms"),
    "metric": ("cosine", "l2", "ip"),
    "dtype": ("float32", "float64", "float16", "bfloat16", "json"),
    "threshold_unit": ("similarity", "distance"),
}
_CACHE_KEYS = (*_CACHE_TEXTS, *_CACHE_CHOICES, "threshold", "ttl", "ttl_renewed")


def _cache_tables(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError('tables such as [caches.support] with prefix = "cache:"')
    for name, table in value.items():
        if not isinstance(table, dict):
            raise Expected(f"a table: write [caches.{name}] and its keys below it", name, table)
        for key, inner in table.items():
            if key not in _CACHE_KEYS:
                raise Expected(f"another key; {nearest(key, _CACHE_KEYS)}", f"{name}.{key}", inner)
            if wanted := _wanted_of_cache(key, inner):
                raise Expected(wanted, f"{name}.{key}", inner)
        if "prefix" not in table:
            raise Expected('prefix, with which all its keys begin, such as prefix = "cache:"', name, table)
        if not any(key in table for key in ("prompt", "response")):
            raise Expected("the name of its field of the prompt or response", name, table)
    return value


def _wanted_of_cache(key: str, value: object) -> str:
    """What a key of a hand-made cache must be, or "" when it is."""
    if key in _CACHE_CHOICES:
        return "" if value in _CACHE_CHOICES[key] else "one of " + ", ".join(_CACHE_CHOICES[key])
    if key == "ttl_renewed":
        return "" if isinstance(value, bool) else "true or false"
    if key in ("threshold", "ttl"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "a number"
        if key == "ttl":
            return "" if value > 0 else "seconds above 0"
        return "" if -1 <= value <= 2 else "a similarity up to 1, or a distance up to 2"
    if not isinstance(value, str) or not value:
        return "a non-empty text"
    return "a text with {prompt} in it" if key == "template" and "{prompt}" not in value else ""


def _expressions(value: object) -> object:
    if not isinstance(value, list) or not all(isinstance(line, str) and line for line in value):
        raise ValueError('a list of regular expressions, such as ["Sent from my .*"]')
    return tuple(value)


def _texts(value: object) -> object:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError('lines such as "app.pause" = "p"')
    return value


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `place` in the file as `table.key`, `variable` in the environment, how it is read."""

    name: str
    place: str
    variable: str | None
    read: Read
    is_path: bool = False
    """Read from a file, it is relative to that file's folder."""


SETTINGS = (
    Setting("redis_url", "redis.url", "COSTCONSOLE_REDIS_URL", _string),
    Setting("redis_username", "redis.username", "COSTCONSOLE_REDIS_USERNAME", _string),
    Setting("redis_password", "redis.password", "COSTCONSOLE_REDIS_PASSWORD", _string),
    Setting("ca_file", "redis.ca_file", "COSTCONSOLE_CA_FILE", _string),
    Setting("cert_file", "redis.cert_file", "COSTCONSOLE_CERT_FILE", _string),
    Setting("key_file", "redis.key_file", "COSTCONSOLE_KEY_FILE", _string),
    Setting("ledger_url", "redis.ledger_url", "COSTCONSOLE_LEDGER_URL", _string),
    Setting("namespace", "redis.namespace", "COSTCONSOLE_NAMESPACE", _string),
    Setting("theme", "console.theme", "COSTCONSOLE_THEME", _string),
    Setting("read_only", "console.read_only", "COSTCONSOLE_READ_ONLY", _yes_no),
    Setting("refresh_s", "console.refresh", "COSTCONSOLE_REFRESH", _refresh),
    Setting("window", "console.window", "COSTCONSOLE_WINDOW", _window),
    Setting("mouse", "console.mouse", "COSTCONSOLE_MOUSE", _yes_no),
    Setting("charset", "console.charset", "COSTCONSOLE_CHARSET", _one_of("braille", "block", "ascii")),
    Setting("timezone", "console.timezone", "COSTCONSOLE_TIMEZONE", _zone),
    Setting("redact", "console.redact", "COSTCONSOLE_REDACT", _yes_no),
    Setting("prompts", "ledger.prompts", "COSTCONSOLE_PROMPTS", _one_of("preview", "full", "off")),
    Setting("embedding_model", "embedding.model", "COSTCONSOLE_EMBEDDING_MODEL", _string),
    Setting("embedding_url", "embedding.url", "COSTCONSOLE_EMBEDDING_URL", _string),
    Setting("embedding_key_env", "embedding.key_env", "COSTCONSOLE_EMBEDDING_KEY_ENV", _string),
    Setting("routing", "routing.file", "COSTCONSOLE_ROUTING", _string, is_path=True),
    Setting("prices", "prices", None, _price_table),
    Setting("keymap", "keys", None, _texts),
    Setting("caches", "caches", None, _cache_tables),
    Setting("minimize_level", "minimize.level", "COSTCONSOLE_MINIMIZE_LEVEL", _one_of("safe", "strong")),
    Setting("minimize_boilerplate", "minimize.boilerplate", None, _expressions),
)
_FLAG = {"redis_url": "--redis", "refresh_s": "--refresh", "ledger_url": "--ledger", "mouse": "--no-mouse"}
_BY_PLACE = {setting.place: setting for setting in SETTINGS}


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` for the closest known word, else the list of what is known."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "known are: " + ", ".join(known)


def user_config_dir() -> Path:
    """Where the user's `config.toml` and `themes/` live."""
    from platformdirs import user_config_path

    return user_config_path("costconsole")


def state_dir() -> Path:
    """Logs, spools and the last copy; made on first use, for this user alone (0700)."""
    from platformdirs import user_state_path

    path = user_state_path("costconsole")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)  # Somebody made it on the way to a folder within.
    return path


def lookups_file() -> Path:
    """How often search indexes were asked by us: taken off where an application's look-ups are estimated."""
    return state_dir() / "lookups.json"


def config_files(explicit: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that are read, strongest first. A file that was named must exist."""
    named = explicit or environ.get("COSTCONSOLE_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            source = "--config" if explicit else "COSTCONSOLE_CONFIG"
            raise UsageProblem(f"the config file {path} ({source}) does not exist: create it or name another")
        return (path,)
    found = (Path(PROJECT_FILE), user_config_dir() / "config.toml")
    return tuple(path for path in found if path.is_file())


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    config: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Put the settings together. Raises UsageProblem naming file or variable, key and expectation."""
    environ = os.environ if environ is None else environ
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for path in reversed(config_files(config, environ)):
        for setting, value in _read_file(path):
            values[setting.name] = value
            origins[setting.name] = f"config file {path}"
    for setting in SETTINGS:
        if setting.variable and environ.get(setting.variable):
            values[setting.name] = _checked(setting, environ[setting.variable], setting.variable)
            origins[setting.name] = setting.variable
    for setting in SETTINGS:
        flag = (flags or {}).get(setting.name)
        if flag is not None:
            name = _FLAG.get(setting.name, "--" + setting.name.replace("_", "-"))
            values[setting.name] = _checked(setting, flag, name)
            origins[setting.name] = name
    if "refresh_s" not in values and (environ.get("SSH_TTY") or environ.get("SSH_CONNECTION")):
        values["refresh_s"] = 2.0
        origins["refresh_s"] = "default over SSH"
    return Settings(**values, origins=origins)  # type: ignore[arg-type]


def _checked(setting: Setting, value: object, source: str) -> object:
    try:
        return setting.read(value)
    except Expected as expected:
        place = f"{source}.{expected.place}"
        raise UsageProblem(f"{place}: {expected.value!r} is not possible; expected {expected}") from None
    except ValueError as expected:
        shown = "the value" if setting.name in {"redis_password", "redis_url"} else repr(value)
        raise UsageProblem(f"{source}: {shown} is not possible; expected {expected}") from None


def _read_file(path: Path) -> list[tuple[Setting, object]]:
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"{path} is not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} can't be read: {error}") from None
    found: list[tuple[Setting, object]] = []
    for table, inner in content.items():
        if table in _BY_PLACE:
            found.append((_BY_PLACE[table], _checked(_BY_PLACE[table], inner, f"{path}, {table}")))
            continue
        tables = sorted({place.partition(".")[0] for place in _BY_PLACE})
        if table not in tables:
            raise UsageProblem(f"{path}: unknown key {table!r}; {nearest(table, tables)}")
        if not isinstance(inner, dict):
            raise UsageProblem(f"{path}: {table!r} is a table: write [{table}] and its keys below it")
        for key, value in inner.items():
            place = f"{table}.{key}"
            if place not in _BY_PLACE:
                known = [p.partition(".")[2] for p in _BY_PLACE if p.startswith(table + ".")]
                raise UsageProblem(f"{path}: unknown key {key!r} in [{table}]; {nearest(key, known)}")
            setting = _BY_PLACE[place]
            read = _checked(setting, value, f"{path}, {place}")
            if setting.is_path:
                read = str(path.parent / Path(str(read)).expanduser())
            found.append((setting, read))
    return found
