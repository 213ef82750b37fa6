"""Who runs this process, and on which machine: what an audit entry says."""

from __future__ import annotations

import getpass
import os
import socket

from costconsole.cache.policy import Author


def this_author() -> Author:
    """The user of this process; a number where the system knows no name for it."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return Author(who=who, host=socket.gethostname())
