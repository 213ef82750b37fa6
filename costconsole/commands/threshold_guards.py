"""`costconsole threshold guards`: the guards, what each does on labelled pairs, and switching them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.errors import Refused, UsageProblem
from costconsole.domain.figures import GUARDS, Policy
from costconsole.domain.format import percent

if TYPE_CHECKING:
    from costconsole.cache.guards import GuardEffect
    from costconsole.calibration.events import Event

_SWITCH = {"on": True, "off": False}


def run(args: argparse.Namespace) -> int:
    if (args.name is None) != (args.switch is None):
        raise UsageProblem("name a guard and on or off: costconsole threshold guards numbers off")
    if args.name is not None and args.name not in GUARDS:
        raise UsageProblem(f"there is no guard {args.name!r}: there are {', '.join(GUARDS)}")
    return run_session(args, lambda session: _work(args, session))


async def _work(args: argparse.Namespace, session: Session) -> int:
    from costconsole.cache.author import this_author
    from costconsole.cache.policy import GUARD, aread_policy, awrite_policy

    if args.name is not None:
        if session.settings.read_only:
            raise Refused("This is read-only: leave --read-only out to switch a guard.")
        policy = await awrite_policy(
            session.client, session.keys, {GUARD + args.name: _SWITCH[args.switch]}, this_author()
        )
        if not args.json:
            print(f"guard {args.name}: {args.switch}; running applications follow within a second")
            return DONE
    else:
        policy = await aread_policy(session.client, session.keys)
    effects = await effects_of(session)
    if args.json:
        print_json(as_document(policy, effects))
        return DONE
    print_guards(policy, effects)
    return DONE


async def effects_of(session: Session) -> Mapping[str, GuardEffect]:
    """What each guard does on the pairs that were labelled and are logged still."""
    from costconsole.cache.guards import guard_effects

    return guard_effects(await labelled_pairs(session))


async def labelled_pairs(session: Session) -> tuple[Event, ...]:
    """People's labels with the texts of their pairs, where log and cache have them still."""
    from dataclasses import replace

    from costconsole.cache.catalog import find_caches
    from costconsole.calibration.evidence import gather_log, with_texts

    log = await gather_log(session.client, session.ledger_client, session.keys)
    said = [event for event in log.label_events if event.source != "judge"]
    if not said:
        return ()
    logged = {event.id: event for event in log.events}
    caches = await find_caches(session.client, session.server, session.keys, mappings=session.settings.caches)
    known = [
        replace(event, query=seen.query, neighbor=seen.neighbor, guards=seen.guards)
        for event in said
        if (seen := logged.get(event.id)) is not None
    ]
    gone = [event for event in said if event.id not in logged and event.guards]
    return (*await with_texts(session.client, known, caches=caches), *gone)


def print_guards(policy: Policy, effects: Mapping[str, GuardEffect]) -> None:
    """A line a guard."""
    rows = []
    for name in GUARDS:
        effect = effects.get(name)
        labelled = effect is not None and effect.n > 0
        rows.append(
            (
                name,
                "on" if name in policy.guards else "off",
                _share(effect.fires_different, effect.different) if labelled and effect else "–",
                _share(effect.fires_same, effect.same) if labelled and effect else "–",
            )
        )
    print_table(("guard", "switch", "refuses different", "refuses same"), rows, right=(2, 3))
    if not any(effect.n for effect in effects.values()):
        say("What they do here shows when pairs are labelled: costconsole threshold label.")


def _share(fires: int, of: int) -> str:
    return f"{fires} of {of} ({percent(fires / of)} %)" if of else "–"


def as_document(policy: Policy, effects: Mapping[str, GuardEffect]) -> list[dict[str, Any]]:
    """What `threshold guards --json` prints: an element for each guard, counts are labelled pairs."""
    found = []
    for name in GUARDS:
        effect = effects.get(name)
        found.append(
            {
                "guard": name,
                "on": name in policy.guards,
                "different": effect.different if effect else 0,
                "refused_different": effect.fires_different if effect else 0,
                "same": effect.same if effect else 0,
                "refused_same": effect.fires_same if effect else 0,
                "likelihood_ratio": effect.ratio if effect else None,
            }
        )
    return found
