"""What Redis servers and redis-py say when something is wrong, and what to say to a person instead.

Placeholders: `where` is the server's label, `user` the user, `db` the database, `start` how to get a Redis.
"""

from __future__ import annotations

from costconsole.domain.errors import ConnectionProblem, Problem, Refused, TimeoutProblem, UsageProblem

Sentence = tuple[type[Problem], str]
CLOSED = (
    "connection reset",
    "broken pipe",
    "connection closed by server",
    "closed the connection",
    "eof occurred",
)
SIGNS: tuple[tuple[tuple[str, ...], Sentence], ...] = (
    (
        ("invalid username-password", "wrongpass", "invalid username or password", "invalid password"),
        (
            ConnectionProblem,
            "{where} refuses the password of {user}: correct it in the URL, in redis.password or in "
            "COSTCONSOLE_REDIS_PASSWORD.",
        ),
    ),
    (
        ("without any password configured",),
        (
            ConnectionProblem,
            "{where} has no password, but one was given: leave it out, or check the address.",
        ),
    ),
    (
        ("noauth", "authentication required"),
        (
            ConnectionProblem,
            "{where} wants a password: give it as redis://USER:PASSWORD@HOST, in redis.password or in "
            "COSTCONSOLE_REDIS_PASSWORD.",
        ),
    ),
    (
        ("masterdown", "link with master is down", "link with primary is down"),
        (ConnectionProblem, "{where} is a replica that has lost its primary: connect to the primary."),
    ),
    (
        ("loading the dataset", "redis is loading", "loading redis"),
        (ConnectionProblem, "{where} is still loading its data: wait a moment, then try again."),
    ),
    (
        ("read only replica", "read-only replica", "you can't write against"),
        (Refused, "{where} is a read-only replica: connect to its primary to change anything."),
    ),
    (
        ("misconf",),
        (Problem, "{where} refuses writes because it can't save to its disk: its own log says why."),
    ),
    (
        ("command not allowed when used memory", "oom command"),
        (
            Problem,
            "{where} is out of memory and evicts nothing: raise maxmemory or remove entries, then try again.",
        ),
    ),
    (
        ("clusterdown", "cluster is down", "hash slot not served"),
        (
            ConnectionProblem,
            "The cluster at {where} is down or has unserved slots: see `redis-cli cluster info`.",
        ),
    ),
    (
        ("all slots are not covered", "slots are not fully covered", "is not covered by the cluster"),
        (
            ConnectionProblem,
            "The cluster at {where} does not serve all slots: see `redis-cli cluster slots`.",
        ),
    ),
    (
        ("cluster mode is not enabled", "cluster support disabled"),
        (UsageProblem, "{where} is not a cluster: use redis:// instead of redis+cluster://."),
    ),
    (
        ("keys in request don't hash to the same slot", "crossslot"),
        (
            Problem,
            "{where} is a cluster and the keys of one request lie in different slots: use one namespace.",
        ),
    ),
    (
        (
            "db index is out of range",
            "invalid db index",
            "invalid database",
            "select is not allowed in cluster",
        ),
        (UsageProblem, "{where} has no database {db}: name another one at the end of the URL."),
    ),
    (
        ("no master found for", "no slave found for"),
        (
            ConnectionProblem,
            "The Sentinels of {where} know no primary of that name, or none answers: check its name "
            "with `redis-cli -p 26379 sentinel masters`.",
        ),
    ),
    (
        ("max number of clients", "too many connections"),
        (ConnectionProblem, "{where} has no free connection left: close some clients or raise maxclients."),
    ),
    (
        ("denied redis is running in protected mode", "protected mode is enabled"),
        (
            ConnectionProblem,
            "{where} is in protected mode and lets only its own machine in: give it a password, or connect "
            "through a tunnel.",
        ),
    ),
    (
        ("busy redis is busy running a script", "busy running a script", "busy running a function"),
        (TimeoutProblem, "{where} is busy with a long script: wait for its end, then try again."),
    ),
    (
        ("unknown command", "unknown subcommand"),
        (Problem, "{where} lacks a command that this needs: `costconsole doctor` says what it can do."),
    ),
    (
        ("no such index", "unknown index name"),
        (Problem, "{where} has no longer the index that this needs: look again with `costconsole caches`."),
    ),
    (
        ("connection refused",),
        (ConnectionProblem, "Nothing listens at {where}: start Redis there, or {start}."),
    ),
    (
        ("name or service not known", "nodename nor servname", "name resolution"),
        (
            ConnectionProblem,
            "The host of {where} can't be resolved: check its spelling and this machine's DNS.",
        ),
    ),
    (
        ("no route to host", "network is unreachable", "host is unreachable"),
        (
            ConnectionProblem,
            "There is no way to {where} in the network: check the address, the VPN, the tunnel.",
        ),
    ),
    (
        CLOSED,
        (
            ConnectionProblem,
            "{where} closed the connection: it was restarted, wants TLS (rediss://), or is not Redis.",
        ),
    ),
    (
        ("protocol error", "invalid response", "unexpected type byte"),
        (ConnectionProblem, "What answers at {where} is not Redis: check the port."),
    ),
)
