"""Identical work at the same time is done once, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from costconsole.gateway.errors import ProviderError
from costconsole.gateway.single_flight import SingleFlight


def test_fifty_threads_do_the_work_once() -> None:
    flights: SingleFlight[int] = SingleFlight()
    release = threading.Event()
    started = threading.Event()
    done: list[int] = []

    def work() -> int:
        started.set()
        release.wait(10)
        done.append(1)
        return 42

    with ThreadPoolExecutor(50) as pool:
        leader = pool.submit(flights.run, "k", work)
        started.wait(10)
        entered = threading.Barrier(50)

        def follow() -> tuple[int, bool]:
            entered.wait(10)
            return flights.run("k", work)

        followers = [pool.submit(follow) for _ in range(49)]
        entered.wait(10)
        release.set()
        results = [leader.result(10), *(f.result(10) for f in followers)]
    assert {value for value, _ in results} == {42}
    assert results[0] == (42, True)
    assert len(done) == sum(led for _, led in results)
    assert flights.in_flight == 0


async def test_fifty_tasks_do_the_work_once() -> None:
    flights: SingleFlight[int] = SingleFlight()
    release = asyncio.Event()
    done: list[int] = []

    async def work() -> int:
        await release.wait()
        done.append(1)
        return 42

    tasks = [asyncio.create_task(flights.arun("k", work)) for _ in range(50)]
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*tasks)
    assert len(done) == 1
    assert sum(led for _, led in results) == 1


async def test_a_thread_follows_a_task_and_a_task_follows_a_thread() -> None:
    flights: SingleFlight[str] = SingleFlight()
    release = asyncio.Event()

    async def from_task() -> str:
        await release.wait()
        return "task"

    task = asyncio.create_task(flights.arun("k", from_task))
    await asyncio.sleep(0)
    thread = asyncio.create_task(asyncio.to_thread(flights.run, "k", lambda: "thread"))
    await asyncio.sleep(0.01)
    release.set()
    assert await task == ("task", True)
    # Whether or not the thread came in time to follow, nothing hangs and nothing is lost.
    assert (await thread) in [("task", False), ("thread", True)]

    go, started = threading.Event(), threading.Event()

    def from_thread() -> str:
        started.set()
        go.wait(10)
        return "thread"

    thread2 = asyncio.create_task(asyncio.to_thread(flights.run, "k", from_thread))
    await asyncio.to_thread(started.wait, 10)
    task2 = asyncio.create_task(flights.arun("k", from_task))
    await asyncio.sleep(0)
    go.set()
    assert await thread2 == ("thread", True)
    assert await task2 == ("thread", False)


async def test_followers_see_the_leaders_error_each_its_own() -> None:
    flights: SingleFlight[int] = SingleFlight()
    release = asyncio.Event()

    async def work() -> int:
        await release.wait()
        raise ProviderError("openai failed on its side (500); try later", kind="server", status=500)

    tasks = [asyncio.create_task(flights.arun("k", work)) for _ in range(5)]
    await asyncio.sleep(0)
    release.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, ProviderError) and error.status == 500 for error in errors)
    assert len({id(error) for error in errors}) == 5
    assert flights.in_flight == 0


async def test_a_cancelled_leader_hands_over() -> None:
    flights: SingleFlight[int] = SingleFlight()
    release = asyncio.Event()
    again = asyncio.Event()
    started: list[int] = []

    async def work() -> int:
        started.append(1)
        if len(started) == 2:
            again.set()
        await release.wait()
        return 7

    leader, *followers = [asyncio.create_task(flights.arun("k", work)) for _ in range(4)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    await asyncio.wait_for(again.wait(), 10)
    for _ in range(3):
        await asyncio.sleep(0)
    release.set()
    results = await asyncio.wait_for(asyncio.gather(*followers), 10)
    assert [value for value, _ in results] == [7, 7, 7]
    assert len(started) == 2


async def test_a_cancelled_follower_disturbs_nobody() -> None:
    flights: SingleFlight[int] = SingleFlight()
    release = asyncio.Event()

    async def work() -> int:
        await release.wait()
        return 7

    tasks = [asyncio.create_task(flights.arun("k", work)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    release.set()
    assert await tasks[0] == (7, True)
    assert await tasks[2] == (7, False)


async def test_a_blocking_call_on_the_leaders_own_loop_does_not_wait_for_itself() -> None:
    flights: SingleFlight[int] = SingleFlight()
    release = asyncio.Event()

    async def work() -> int:
        await release.wait()
        return 7

    task = asyncio.create_task(flights.arun("k", work))
    await asyncio.sleep(0)
    assert flights.run("k", lambda: 8) == (8, True)
    release.set()
    assert await task == (7, True)


def test_other_keys_do_not_wait() -> None:
    flights: SingleFlight[str] = SingleFlight()
    assert flights.run("a", lambda: flights.run("b", lambda: "inner")[0]) == ("inner", True)
