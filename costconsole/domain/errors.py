"""What can go wrong, said in one sentence that names the thing and the next step."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command (`costconsole --help` lists them)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONNECT = 3
    TIMEOUT = 4
    REFUSED = 5
    OVER_BUDGET = 10
    INTERRUPTED = 130


class Problem(Exception):
    """An error that a person can act on.

    `str(problem)` is one or two plain sentences: what is wrong, by name, and what to do next.
    It never holds a password or a prompt. `exit_code` is what a command ends with.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, exit_code: ExitCode | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class UsageProblem(Problem):
    """A flag, an argument or a configuration key is wrong."""

    exit_code = ExitCode.USAGE


class ConnectionProblem(Problem):
    """Redis, or another server that is needed, can't be reached or refuses us."""

    exit_code = ExitCode.CONNECT


class TimeoutProblem(Problem):
    """A server took longer than it was given."""

    exit_code = ExitCode.TIMEOUT


class Refused(Problem):
    """The action is not allowed here: read-only, no rights, or not confirmed."""

    exit_code = ExitCode.REFUSED
