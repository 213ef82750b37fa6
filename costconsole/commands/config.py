"""`costconsole config show|path`: every setting with its value and origin, and where files live."""

from __future__ import annotations

import argparse

from costconsole.commands.output import print_json, print_table
from costconsole.commands.session import DONE, settings_of
from costconsole.settings import SETTINGS, config_files, user_config_dir


def run(args: argparse.Namespace) -> int:
    if args.step == "path":
        import os

        from platformdirs import user_cache_path, user_state_path

        read = config_files(getattr(args, "config", None), os.environ)
        print(f"config  {user_config_dir() / 'config.toml'}")
        print(f"themes  {user_config_dir() / 'themes'}")
        print(f"state   {user_state_path('costconsole')}")
        print(f"cache   {user_cache_path('costconsole')}")
        print("read    " + (", ".join(str(path) for path in read) or "no file"))
        return DONE
    settings = settings_of(args)
    rows = []
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        if setting.name == "redis_password" and value:
            value = "***"
        if setting.name in {"redis_url", "ledger_url"} and value:
            from costconsole.redis_store.target import parse_target

            value = parse_target(value).label
        origin = settings.origins.get(setting.name, "default")
        rows.append({"setting": setting.place, "value": value, "origin": origin})
    if args.json:
        print_json(rows)
    else:
        print_table(
            ("setting", "value", "origin"),
            [(r["setting"], "–" if r["value"] is None else str(r["value"]), r["origin"]) for r in rows],
        )
    return DONE
