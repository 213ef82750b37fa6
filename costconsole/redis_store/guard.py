"""The read-only guard: what may be sent when nothing may be written.

An allow-list: a command that is not known to be a read is refused, so that one which a future server
brings is refused as well. `KEYS` is not on it, for it stops the server while it walks the whole keyspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costconsole.domain.errors import Refused

_READ_WORDS = """
    AUTH HELLO PING ECHO QUIT SELECT READONLY READWRITE ASKING MULTI EXEC DISCARD WATCH UNWATCH WAIT
    SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE
    INFO DBSIZE TIME ROLE LASTSAVE LOLWUT COMMAND
    EXISTS TYPE TTL PTTL EXPIRETIME PEXPIRETIME RANDOMKEY SCAN DUMP SORT_RO
    GET MGET STRLEN GETRANGE SUBSTR GETBIT BITCOUNT BITPOS BITFIELD_RO LCS
    HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HSCAN HRANDFIELD HTTL HPTTL HEXPIRETIME HPEXPIRETIME
    LRANGE LINDEX LLEN LPOS
    SMEMBERS SISMEMBER SMISMEMBER SCARD SRANDMEMBER SSCAN SINTER SUNION SDIFF SINTERCARD
    ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZRANK ZREVRANK ZSCORE ZMSCORE
    ZCARD ZCOUNT ZLEXCOUNT ZSCAN ZRANDMEMBER ZINTER ZUNION ZDIFF ZINTERCARD
    XRANGE XREVRANGE XREAD XLEN XPENDING
    GEOPOS GEODIST GEOHASH GEOSEARCH GEORADIUS_RO GEORADIUSBYMEMBER_RO
    EVAL_RO EVALSHA_RO FCALL_RO
    FT.SEARCH FT.AGGREGATE FT.HYBRID FT.INFO FT._LIST FT.EXPLAIN FT.EXPLAINCLI FT.PROFILE FT.TAGVALS
    FT.SPELLCHECK FT.DICTDUMP FT.SYNDUMP FT.SUGGET FT.SUGLEN
    JSON.GET JSON.MGET JSON.TYPE JSON.STRLEN JSON.OBJKEYS JSON.OBJLEN JSON.ARRLEN JSON.ARRINDEX JSON.RESP
    VSIM VEMB VINFO VDIM VCARD VLINKS VRANDMEMBER VGETATTR VISMEMBER VRANGE
    BF.EXISTS BF.MEXISTS BF.INFO BF.CARD CF.EXISTS CF.INFO TOPK.LIST TOPK.QUERY TOPK.INFO CMS.QUERY CMS.INFO
    TS.GET TS.MGET TS.RANGE TS.REVRANGE TS.MRANGE TS.MREVRANGE TS.INFO TS.QUERYINDEX
"""
_READS = frozenset(_READ_WORDS.split())

# Commands of which only some sub-commands read.
_SUBCOMMANDS = {
    name: frozenset(words.split())
    for name, words in {
        "ACL": "WHOAMI DRYRUN CAT LIST USERS GETUSER GENPASS HELP",
        "CLIENT": "SETNAME GETNAME SETINFO NO-TOUCH LIST INFO ID GETREDIR TRACKINGINFO HELP",
        "CLUSTER": "SLOTS SHARDS NODES INFO MYID MYSHARDID KEYSLOT COUNTKEYSINSLOT GETKEYSINSLOT LINKS "
        "REPLICAS SLAVES SLOT-STATS HELP",
        "CONFIG": "GET HELP",
        "FT.CONFIG": "GET HELP",
        "FT.CURSOR": "READ DEL",
        "FUNCTION": "LIST STATS DUMP HELP",
        "JSON.DEBUG": "MEMORY HELP",
        "LATENCY": "LATEST HISTORY HISTOGRAM DOCTOR GRAPH HELP",
        "MEMORY": "USAGE STATS DOCTOR MALLOC-STATS HELP",
        "MODULE": "LIST HELP",
        "OBJECT": "ENCODING FREQ IDLETIME REFCOUNT HELP",
        "PUBSUB": "CHANNELS NUMSUB NUMPAT SHARDCHANNELS SHARDNUMSUB HELP",
        "SCRIPT": "EXISTS HELP",
        "SLOWLOG": "GET LEN HELP",
        "XINFO": "STREAM GROUPS CONSUMERS HELP",
    }.items()
}


def words(args: Sequence[Any]) -> list[str]:
    """The command and its possible sub-command, in capitals, however a client passed them."""
    found: list[str] = []
    for arg in args[:2]:
        if isinstance(arg, str):
            found += arg.split()
        elif isinstance(arg, bytes | bytearray | memoryview):
            found += bytes(arg).decode("ascii", "replace").split()
        else:
            found.append(str(arg))
    return [word.upper() for word in found[:2]]


def reads_only(args: Sequence[Any]) -> bool:
    """Whether the command with these arguments is known to change nothing."""
    if args and type(args[0]) is str and args[0] in _READS:
        return True
    command = words(args)
    if not command:
        return False
    subcommands = _SUBCOMMANDS.get(command[0])
    if subcommands is not None:
        return len(command) > 1 and command[1] in subcommands
    return command[0] in _READS


def check(args: Sequence[Any]) -> None:
    """Raise Refused for a command that is not known to change nothing."""
    if not reads_only(args):
        command = words(args)
        shown = " ".join(command if command and command[0] in _SUBCOMMANDS else command[:1])[:40]
        raise Refused(
            f"{shown} is not sent: this connection is read-only; leave --read-only out to allow it."
        )
