"""The names of everything that costconsole keeps in Redis, built in this one place.

All keys of a namespace carry its hash tag `{NS}`, so that one script may change them together on a cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from costconsole.domain.errors import UsageProblem
from costconsole.domain.window import Bucket

NAMESPACES = "costconsole:namespaces"
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names of one namespace. Raises UsageProblem for a name that can't be one."""

    namespace: str = "default"

    def __post_init__(self) -> None:
        if not _NAMESPACE.fullmatch(self.namespace):
            raise UsageProblem(
                f"namespace {self.namespace!r} is not possible: use up to 64 letters, digits, '.', '_' or '-'"
            )

    @property
    def root(self) -> str:
        return f"costconsole:{{{self.namespace}}}:"

    @property
    def calls(self) -> str:
        return self.root + "calls"

    def bucket(self, bucket: Bucket) -> str:
        return f"{self.root}{bucket.grain}:{bucket.number}"

    def applied(self, writer: str) -> str:
        """The number of the last batch of a writer: a batch with this or a lower one changes nothing."""
        return f"{self.root}applied:{writer}"

    @property
    def late(self) -> str:
        """Stream of what flushes changed, `b` = `grain:number ...`: a reader learns what to read again."""
        return self.root + "late"

    @property
    def policy(self) -> str:
        return self.root + "policy"

    @property
    def policy_changed(self) -> str:
        return self.root + "policy:changed"

    @property
    def ratchet(self) -> str:
        """Hash: by entry key, the similarity from which it is served again after it was a wrong hit."""
        return self.root + "ratchet"

    @property
    def labels(self) -> str:
        return self.root + "labels"

    @property
    def audit(self) -> str:
        return self.root + "audit"

    @property
    def undos(self) -> str:
        """Zset: ids of evictions that can be undone, by their time in Unix ms."""
        return self.root + "undo"

    def undo(self, undo_id: str) -> str:
        """Hash: who evicted what, and when."""
        return f"{self.undos}:{undo_id}"

    def undo_entries(self, undo_id: str, part: int = 0) -> str:
        """Set: the entries of an eviction that aren't back yet; of a large one, a part of them."""
        return f"{self.undos}:{undo_id}:entries" + (f":{part}" if part else "")

    @property
    def exact_prefix(self) -> str:
        return self.root + "exact:"

    def exact(self, digest: str) -> str:
        return self.exact_prefix + digest

    @property
    def semantic_index(self) -> str:
        return self.root + "semantic"

    @property
    def semantic_prefix(self) -> str:
        return self.root + "semantic:"

    def semantic(self, entry_id: str) -> str:
        return self.semantic_prefix + entry_id

    @property
    def hits(self) -> str:
        """Zset: hits by entry key."""
        return self.root + "hits"

    @property
    def last_hit(self) -> str:
        """Zset: Unix ms of the last hit by entry key."""
        return self.root + "last_hit"
