"""Follows the live policy in the background, so that reading it costs an application nothing."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from costconsole.cache.policy import read_policy
from costconsole.domain.figures import Policy
from costconsole.redis_store.keys import Keys

_RETRY_MAX_S = 5.0


class PolicyFollower:
    """Keeps `current` as fresh as the announcements on `policy:changed`, or `poll_s` where they fail.

    `make_client` gives a sync Redis client of the follower's own. While Redis is away the last policy stays
    in force. Usable as a context manager; `start` returns at once and `close` waits for the thread's end.
    After a fork, a follower that was following goes on in the child too, with a thread of its own.
    """

    def __init__(
        self,
        make_client: Callable[[], Any],
        keys: Keys,
        *,
        poll_s: float = 1.0,
        on_change: Callable[[Policy], None] | None = None,
    ) -> None:
        self.current = Policy()
        self.last_error = ""
        self._make_client = make_client
        self._keys = keys
        self._poll_s = poll_s
        self._on_change = on_change
        self._closed = threading.Event()
        self._read_once = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> PolicyFollower:
        """Begin to follow, in a daemon thread. A second call changes nothing."""
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._run, name="costconsole-policy", daemon=True)
            self._thread.start()
            _following.add(self)
        return self

    def wait(self, timeout_s: float) -> bool:
        """Wait until the policy was read for the first time; False when that took longer."""
        return self._read_once.wait(timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop following. `current` keeps the last policy."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def __enter__(self) -> PolicyFollower:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _after_fork(self) -> None:
        closed, read = self._closed.is_set(), self._read_once.is_set()
        # The parent's locks may be held by threads that don't exist here.
        self._closed, self._read_once, self._thread = threading.Event(), threading.Event(), None
        if read:
            self._read_once.set()
        if closed:
            self._closed.set()
        self.start()

    def _run(self) -> None:
        pause = 0.1
        while not self._closed.is_set():
            try:
                with self._make_client() as client:
                    for _ in self._reads(client):
                        pause = 0.1
            except Exception as error:
                # Whatever goes wrong here must not end an application's only source of the policy.
                self.last_error = type(error).__name__
            self._closed.wait(pause)
            pause = min(pause * 2, _RETRY_MAX_S, max(self._poll_s, 0.1))

    def _reads(self, client: Any) -> Any:
        """Read at each announcement and at least every `poll_s`; yields after each good read."""
        channel = client.pubsub(ignore_subscribe_messages=True)
        subscribed = False
        try:
            while not self._closed.is_set():
                if not subscribed:
                    subscribed = self._subscribe(channel)
                self._apply(read_policy(client, self._keys))
                yield
                self._wait_for_news(channel, subscribed)
        finally:
            with contextlib.suppress(Exception):
                channel.close()

    def _subscribe(self, channel: Any) -> bool:
        """Polling goes on where this user may not subscribe."""
        from redis.exceptions import ResponseError

        try:
            channel.subscribe(self._keys.policy_changed)
        except ResponseError:
            return False
        return True

    def _wait_for_news(self, channel: Any, subscribed: bool) -> None:
        if not subscribed:
            self._closed.wait(self._poll_s)
            return
        until = time.monotonic() + self._poll_s
        while (left := until - time.monotonic()) > 0 and not self._closed.is_set():
            if channel.get_message(timeout=min(left, 0.25)) is not None:
                return

    def _apply(self, policy: Policy) -> None:
        changed = policy != self.current
        self.current = policy
        self.last_error = ""
        self._read_once.set()
        if changed and self._on_change is not None:
            self._on_change(policy)


_following: weakref.WeakSet[PolicyFollower] = weakref.WeakSet()


def _after_fork() -> None:
    for follower in list(_following):
        follower._after_fork()


os.register_at_fork(after_in_child=_after_fork)
