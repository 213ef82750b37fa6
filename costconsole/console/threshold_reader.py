"""Policy, labels, look-ups and texts, read with sync clients of their own. Blocks: for a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costconsole.domain.figures import Policy
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import text

if TYPE_CHECKING:
    from costconsole.calibration.store import Label
    from costconsole.console.threshold_log import LookupLog

_TEXTS = ("prompt", "response")
_AT_ONCE = 500
_KEPT_TEXTS = 20_000


class ThresholdReader:
    """Reads what is new only. Not for two threads at once."""

    def __init__(
        self, make_client: Callable[[], Any], make_ledger: Callable[[], Any] | None, keys: Keys
    ) -> None:
        self._make_client = make_client
        self._make_ledger = make_ledger
        self._keys = keys
        self._sync: Any = None
        self._ledger: Any = None
        self._log: LookupLog | None = None
        self._texts: dict[str, tuple[str, str]] = {}
        self._labels: dict[str, Label] = {}
        self._labels_seen: tuple[object, ...] = ()

    def log(self, progress: Callable[[int], None] | None = None) -> LookupLog:
        """The look-ups, with what came since. `progress` hears how many were read."""
        from costconsole.console.threshold_log import LookupLog

        if self._log is None:
            self._ledger = self._make_ledger() if self._make_ledger is not None else self._reader()
            log = LookupLog(self._ledger, self._keys)
            log.read(progress)
            self._log = log
        else:
            self._log.read()
        return self._log

    def _reader(self) -> Any:
        if self._sync is None:
            self._sync = self._make_client()
        return self._sync

    def policy(self) -> Policy:
        """The policy in force."""
        from costconsole.cache.policy import read_policy

        return read_policy(self._reader(), self._keys)

    def labels(self) -> dict[str, Label]:
        """The labels; those that were read before, if nothing was written since."""
        from costconsole.calibration.store import parse_labels

        client = self._reader()
        newest = client.execute_command("XREVRANGE", self._keys.audit, "+", "-", "COUNT", 1)
        seen = (client.execute_command("HLEN", self._keys.labels), newest[0][0] if newest else b"")
        if seen != self._labels_seen:
            self._labels = parse_labels(client.execute_command("HGETALL", self._keys.labels))
            self._labels_seen = seen
        return self._labels

    def texts_of(self, wanted: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Prompts and answers of entries; an entry's texts never change, so they are read once."""
        if len(self._texts) > _KEPT_TEXTS:
            self._texts.clear()
        missing = [key for key in wanted if key and key not in self._texts]
        client = self._reader()
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            with client.pipeline(transaction=False) as pipe:
                for key in some:
                    pipe.execute_command("HMGET", key, *_TEXTS)
                replies = pipe.execute(raise_on_error=False)
            for key, reply in zip(some, replies, strict=True):
                if not isinstance(reply, Exception) and reply[0] is not None:
                    self._texts[key] = text(reply[0]), text(reply[1])
        return {key: self._texts[key] for key in wanted if key in self._texts}

    def close(self) -> None:
        """Cut the connections: a thread that waits for an answer waits no longer."""
        for client in (self._sync, self._ledger):
            pool = getattr(client, "connection_pool", None)
            if pool is not None:
                pool.disconnect(inuse_connections=True)
