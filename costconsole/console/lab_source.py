"""The Lab over a real Redis and real providers. Nothing heavy is imported before it is first used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costconsole.console.lab import Question, Sent, Stored
from costconsole.domain.call import Outcome, Usage
from costconsole.domain.errors import Problem, Refused
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.cache.answer import Answer
    from costconsole.console.source import Link
    from costconsole.domain.entry import CacheInfo
    from costconsole.domain.figures import LedgerView
    from costconsole.embedding.embedder import Embedder
    from costconsole.gateway.check import Checker
    from costconsole.gateway.checked import Check
    from costconsole.gateway.errors import ProviderError
    from costconsole.gateway.plan import Plan
    from costconsole.gateway.provider import Streamed
    from costconsole.ledger.ledger import Ledger
    from costconsole.prompt.diff import Line
    from costconsole.redis_store.target import RedisTarget
    from costconsole.settings import Settings

TAG = "lab"
DEFAULT_MODEL = "gpt-4o-mini"
_CLOSE_S = 2.0


class LabSource:
    """A `Lab`. `asked` turns errors of Redis into Problems; `caches` are those that were found last."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        client: Callable[[], Any],
        embedder: Callable[[], Embedder],
        caches: Callable[[], Awaitable[Sequence[CacheInfo]]],
        asked: Callable[[Awaitable[Any]], Awaitable[Any]],
        link: Callable[[], Link],
        ledger_target: RedisTarget,
    ) -> None:
        self._settings, self._keys = settings, keys
        self._client, self._embedder, self._caches = client, embedder, caches
        self._asked, self._link = asked, link
        self._ledger_target = ledger_target
        self._checker: Checker | None = None
        self._ledger: Ledger | None = None
        self._making = asyncio.Lock()

    async def close(self) -> None:
        """Write what the ledger still has, and give back connections."""
        if self._checker is not None:
            await self._checker.aclose()
        if self._ledger is not None:
            await asyncio.to_thread(self._ledger.close, _CLOSE_S)

    async def models(self) -> Sequence[str]:
        return (await self._made()).models()

    async def check(self, question: Question, view: LedgerView | None) -> Check:
        checker = await self._made()
        from costconsole.gateway.check import usual

        seen = usual(view)
        model = question.model or (checker.automatic() if self._settings.routing else "")
        model = model or seen.model or DEFAULT_MODEL
        found: Check = await self._asked(
            checker.check(
                question.prompt,
                model=model,
                system=question.system or None,
                tenant=question.tenant,
                caches=await self._caches(),
                usual=seen,
                now_ms=time.time_ns() // 1_000_000,
            )
        )
        return found

    async def diff(self, before: str, after: str) -> Sequence[Line]:
        from costconsole.prompt.diff import diff

        return await asyncio.to_thread(diff, before, after)

    # -- sending

    async def send(self, checked: Check, on_text: Callable[[str], None], stop: asyncio.Event) -> Sent:
        if why := self._why_read_only():
            raise Refused(f"a call has to be recorded in the ledger, and nothing may be written here: {why}")
        from costconsole.gateway.provider import Streamed

        checker, ledger = await self._made(), await self._ledger_made()
        provider = checker.provider_of(checked)
        plan = _plan(checked, provider)
        texts: list[str] = []
        first_ms: list[float] = []

        async def ask() -> Streamed:
            async for part in provider.astream(plan.model, plan.request.messages, {}):
                if isinstance(part, Streamed):
                    return part
                if not first_ms:
                    first_ms.append(plan.elapsed_ms)
                texts.append(part)
                on_text(part)
            raise AssertionError("a stream ends with the whole answer")

        asking = asyncio.create_task(ask(), name="lab answer")
        stopping = asyncio.create_task(stop.wait(), name="lab stop")
        try:
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not asking.done():
                asking.cancel()
                await asyncio.wait({asking})
            sent = _sent(checker, ledger, plan, asking, "".join(texts), first_ms[0] if first_ms else None)
        return sent

    async def _ledger_made(self) -> Ledger:
        async with self._making:
            if self._ledger is None:
                settings = self._settings

                def make() -> Ledger:
                    from costconsole.ledger.ledger import Ledger

                    return Ledger(
                        self._ledger_target,
                        settings.namespace,
                        prompts=settings.prompts,
                        redact=settings.redact,
                    )

                self._ledger = await asyncio.to_thread(make)
            return self._ledger

    # -- storing

    def why_not_store(self, checked: Check, sent: Sent) -> str:
        if why := self._why_read_only():
            return why
        if not sent.whole:
            return "only whole answers are kept"
        can = checked.prepared.can if checked.prepared is not None else None
        if can is None or not (can.exact or can.semantic):
            return can.reason if can is not None else "it was not checked"
        from costconsole.cache.cacheable import storable

        kept = storable(_answer(sent, checked))
        return "" if kept.exact or kept.semantic else kept.reason

    async def store(self, checked: Check, sent: Sent) -> Stored:
        if why := self.why_not_store(checked, sent):
            raise Refused(f"this answer is not stored: {why}")
        stored: Stored = await self._asked(self._store(checked, sent))
        return stored

    async def _store(self, checked: Check, sent: Sent) -> Stored:
        from costconsole.cache.audit import audit_command
        from costconsole.cache.author import this_author
        from costconsole.cache.cacheable import storable
        from costconsole.cache.exact import ExactCache
        from costconsole.cache.semantic import SemanticCache, entry_id

        prepared, client = checked.prepared, self._client()
        assert prepared is not None
        answer, policy = _answer(sent, checked), prepared.policy
        kept = storable(answer)
        exact = prepared.can.exact and kept.exact and policy.exact
        semantic = prepared.can.semantic and kept.semantic and policy.semantic and prepared.vector is not None
        # Its index is made by a gateway's first call, which also finds out whether there can be one.
        semantic &= any(cache.index == self._keys.semantic_index for cache in await self._caches())
        keys = [self._keys.exact(prepared.digest)] if exact else []
        if semantic:
            keys.append(self._keys.semantic(entry_id(prepared.words, prepared.scope)))
        if not keys:
            raise Refused(
                "this answer is not stored: this namespace has no cache that would take it; "
                "a first call by costconsole ask makes the semantic one"
            )
        before = [await _dumped(client, key) for key in keys]
        about: dict[str, Any] = {
            "route": checked.route.name,
            "tag": TAG,
            "ttl_s": policy.ttl_s,
            "now_ms": time.time_ns() // 1_000_000,
        }
        if exact:
            shown = "" if self._settings.prompts == "off" else prepared.words[:2_000]
            await ExactCache(self._keys).aput(
                client, prepared.digest, answer, prompt=shown, scope=prepared.scope, **about
            )
        if semantic and prepared.vector is not None:
            cache = SemanticCache(self._keys, len(prepared.vector) // 4)
            await cache.astore(client, prepared.words, prepared.vector, prepared.scope, answer, **about)
        audit = audit_command(
            self._keys, this_author(), "store", entries=" ".join(keys), model=sent.model, tag=TAG,
            replaced=sum(1 for one in before if one is not None),
        )  # fmt: skip
        await client.execute_command(*audit)
        return Stored(tuple(keys), tuple(before))

    async def take_back(self, stored: Stored) -> None:
        if why := self._why_read_only():
            raise Refused(f"nothing is taken back: {why}")
        await self._asked(self._take_back(stored))

    async def _take_back(self, stored: Stored) -> None:
        from costconsole.cache.audit import audit_command
        from costconsole.cache.author import this_author

        client = self._client()
        for key, before in zip(stored.keys, stored.before, strict=True):
            if before is None:
                await client.execute_command("UNLINK", key)
            else:
                await client.execute_command("RESTORE", key, before[2], before[1], "REPLACE")
        audit = audit_command(
            self._keys, this_author(), "undo of store", entries=" ".join(stored.keys), tag=TAG
        )
        await client.execute_command(*audit)

    def _why_read_only(self) -> str:
        link = self._link()
        return "" if link.writable else link.why_read_only or "nothing may be written here"

    async def _made(self) -> Checker:
        async with self._making:
            if self._checker is None:
                client = self._client()
                if client is None:
                    raise Problem("not connected yet: wait for the connection to be live")
                self._checker = await asyncio.to_thread(self._make_checker, client)
            return self._checker

    def _make_checker(self, client: Any) -> Checker:
        from costconsole.gateway.check import Checker
        from costconsole.ledger.prices import PriceBook

        settings = self._settings
        made = Checker(
            client,
            self._keys,
            self._embedder(),
            routing=settings.routing,
            level=settings.minimize_level,
            boilerplate=settings.minimize_boilerplate,
            prices=PriceBook(settings.prices),
        )
        made.warm()
        return made


def _plan(checked: Check, provider: Any) -> Plan:
    """The call as the ledger is to see it: no cache is asked, so that hit rates stay what they are."""
    from costconsole.gateway.plan import Plan

    prepared = checked.prepared
    if prepared is None:
        raise Problem("this prompt was not checked yet: wait a moment")
    return Plan(
        request=prepared.request,
        provider=provider,
        model=checked.model,
        requested_model=prepared.request.model,
        route=checked.route.name,
        tag=TAG,
        policy=prepared.policy,
        ttl_s=prepared.policy.ttl_s,
        cached=False,
        digest=prepared.digest,
        input_minimized=prepared.removed,
        ts_ms=time.time_ns() // 1_000_000,
        started=time.perf_counter(),
        baseline=prepared.baseline,
        original=prepared.whole,
        words=prepared.words,
        choice=prepared.choice,
        leads=True,
    )


def _sent(
    checker: Checker,
    ledger: Ledger,
    plan: Plan,
    asking: asyncio.Task[Streamed],
    text: str,
    first_ms: float | None,
) -> Sent:
    """What became of a call; recorded."""
    from costconsole.gateway.accounts import billed, call_of, failed_call
    from costconsole.gateway.completion import Found
    from costconsole.gateway.errors import ProviderError

    total_ms = plan.elapsed_ms
    error = None if asking.cancelled() else asking.exception()
    if error is None and not asking.cancelled():
        end = asking.result()
        usage = billed(end.attempts) if end.reply.usage is not None else _estimated(plan, end.reply.text)
        answer = _answer_of(end.reply.text, plan, usage, end.reply.finish_reason, end.reply.raw)
        found = Found(answer, Outcome.BYPASS, "", None, end.reply.provider_cost_nano)
        call = call_of(plan, found, checker.prices, total_ms)
        ledger.record(call)
        return Sent(
            text=end.reply.text,
            model=plan.model,
            provider=plan.provider.name,
            first_ms=first_ms,
            total_ms=total_ms,
            usage=usage,
            cost_nano=call.spend_nano,
            finish=end.reply.finish_reason,
            raw=end.reply.raw,
        )
    if error is not None and not isinstance(error, Problem):
        raise error
    stopped = error is None
    failure: BaseException = error if error is not None else asyncio.CancelledError()
    usage = Usage()
    if isinstance(error, ProviderError):
        text = error.text or text
        usage = billed(error.attempts)
    if text and usage == Usage():
        # Nobody told; what was written is paid for all the same.
        usage = _estimated(plan, text)
        plan.billed = (usage, None)
        if isinstance(error, ProviderError):
            failure = _billed_as(error, usage)
    call = failed_call(plan, failure, checker.prices, total_ms)
    ledger.record(call)
    return Sent(
        text=text,
        model=plan.model,
        provider=plan.provider.name,
        first_ms=first_ms,
        total_ms=total_ms,
        usage=usage,
        cost_nano=call.spend_nano,
        error=str(error) if error is not None else "",
        stopped=stopped,
    )


def _billed_as(error: ProviderError, usage: Usage) -> ProviderError:
    """An answer that broke off after its beginning, with what it cost as far as one can tell."""
    from costconsole.gateway.errors import Attempt, ProviderError

    last = error.attempts[-1] if error.attempts else Attempt(error.status, error.kind, 0.0)
    return ProviderError(
        str(error),
        kind=error.kind,
        provider=error.provider,
        status=error.status,
        attempts=(*error.attempts[:-1], replace(last, usage=usage)),
    )


def _estimated(plan: Plan, text: str) -> Usage:
    from costconsole.ledger.tokens import count, count_messages

    sent, _ = count_messages(plan.request.messages, plan.model, wait=False)
    made, _ = count(text, plan.model, wait=False)
    return Usage(input=sent, output=made, estimated=True)


def _answer(sent: Sent, checked: Check) -> Answer:
    from costconsole.cache.answer import Answer

    return Answer(
        text=sent.text,
        model=sent.model,
        provider=sent.provider,
        usage=sent.usage,
        raw=sent.raw,
        finish_reason=sent.finish,
        route=checked.route.name,
    )


def _answer_of(text: str, plan: Plan, usage: Usage, finish: str, raw: bytes | None) -> Answer:
    from costconsole.cache.answer import Answer

    return Answer(
        text=text, model=plan.model, provider=plan.provider.name, usage=usage, raw=raw, finish_reason=finish
    )


async def _dumped(client: Any, key: str) -> tuple[str, bytes, int] | None:
    """A key as it is, with what is left of its time to live in ms (0: none); None where there is none."""
    value = await client.execute_command("DUMP", key)
    if value is None:
        return None
    left = await client.execute_command("PTTL", key)
    return key, value, max(0, int(left))
