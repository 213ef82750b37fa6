"""The worker's order of work: someone at a prompt doesn't wait for a bulk request."""

from __future__ import annotations

from costconsole.embedding.inbox import SINGLES_IN_A_ROW, Inbox, Job


def served(inbox: Inbox, count: int) -> list[int]:
    return [job.request for job in (inbox.take() for _ in range(count)) if job is not None]


def bulk(request: int) -> Job:
    return Job(request, ["a", "b"])


def single(request: int) -> Job:
    return Job(request, ["a"])


def test_single_texts_go_first_each_kind_in_its_order() -> None:
    inbox = Inbox()
    for job in (bulk(1), bulk(2), single(3), single(4)):
        inbox.put(job)
    assert served(inbox, 4) == [3, 4, 1, 2]
    assert inbox.empty
    assert inbox.take() is None


def test_a_bulk_request_is_continued_before_the_next_one_but_after_a_single_text() -> None:
    inbox = Inbox()
    inbox.put(bulk(1))
    inbox.put(bulk(2))
    begun = inbox.take()
    assert begun is not None
    inbox.put(single(3))
    inbox.put_back(begun)
    assert served(inbox, 3) == [3, 1, 2]


def test_a_bulk_request_gets_its_turn_among_endless_single_texts() -> None:
    inbox = Inbox()
    inbox.put(bulk(1))
    for number in range(2, 2 * SINGLES_IN_A_ROW):
        inbox.put(single(number))
    assert served(inbox, SINGLES_IN_A_ROW + 1)[-1] == 1


def test_a_withdrawn_request_is_not_served_waiting_or_half_done() -> None:
    inbox = Inbox()
    for job in (bulk(1), bulk(2), bulk(3), single(4), single(5)):
        inbox.put(job)
    inbox.cancel(4)
    inbox.cancel(2)
    assert served(inbox, 1) == [5]
    half_done = inbox.take()
    assert half_done is not None
    inbox.put_back(half_done)
    inbox.cancel(half_done.request)
    assert served(inbox, 2) == [3]
