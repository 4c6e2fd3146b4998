"""Who goes first, who shares, who gives way: the scheduler with a driver that computes nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from openhearth.inference.cache import Cache
from openhearth.inference.request import EngineBusy, Request, Sampling
from openhearth.inference.scheduler import PATIENCE, Scheduler
from openhearth.inference.sequence import Sequence

PAGE = 4


def scheduler(
    pages: int = 64, *, running: int = 4, budget: int = 16, waiting: int = 500
) -> Scheduler:
    cache = Cache(pages, PAGE)
    return Scheduler(cache, budget=budget, most_running=running, most_waiting=waiting)


def sequence(prompt: list[int], answer: int = 4, **request: object) -> Sequence:
    asked = Request("m", prompt, Sampling(max_tokens=answer), **request)
    return Sequence(asked, None, seed=0, text=None, arrived=0.0)


def step(scheduler: Scheduler, now: float = 0.0) -> list[Sequence]:
    """One step, in which every answer goes on with the same token; what was computed."""
    plan = scheduler.plan(now)
    for one, work in plan:
        assert work.tokens == one.ids[work.place : work.place + len(work.tokens)]
        assert len(work.pages) == -(-(work.place + len(work.tokens)) // PAGE)
        scheduler.computed(one, work, work.wanted)
        if work.wanted:
            one.push(7)
            if len(one.answer) == one.request.sampling.max_tokens:
                scheduler.finish(one)
    return [one for one, _ in plan]


def run(scheduler: Scheduler, *sequences: Sequence) -> list[Sequence]:
    """All to their ends; in the order of their starts."""
    for one in sequences:
        scheduler.add(one)
    order: dict[Sequence, None] = {}
    while not scheduler.idle:
        did = step(scheduler)
        assert did, "nothing runs although something waits"
        order.update(dict.fromkeys(did))
    assert scheduler._cache.available == scheduler._cache.count
    return list(order)


def prompt(seed: int, length: int) -> list[int]:
    return [1000 * seed + i for i in range(length)]


def test_a_long_prompt_is_cut_and_does_not_stall_running_answers() -> None:
    queue, short, long = scheduler(), sequence([1, 2], 30), sequence(prompt(1, 100))
    queue.add(short)
    step(queue)
    queue.add(long)
    chunks = []
    while not long.answer:
        before = len(short.answer)
        plan = queue.plan(0.0)
        assert sum(len(work.tokens) for _, work in plan) <= 16
        chunks += [len(work.tokens) for one, work in plan if one is long]
        for one, work in plan:
            queue.computed(one, work, work.wanted)
            if work.wanted:
                one.push(7)
        assert len(short.answer) == before + 1
    assert chunks == [15] * 6 + [10]


def test_the_highest_priority_starts_first() -> None:
    low, mid, high = (sequence(prompt(p, 5), priority=p) for p in (0, 1, 2))
    assert run(scheduler(running=1), low, mid, high) == [high, mid, low]


def test_a_higher_priority_takes_the_place_of_a_lower() -> None:
    queue, low = scheduler(running=1), sequence(prompt(1, 9), 20)
    queue.add(low)
    step(queue), step(queue)
    high = sequence(prompt(2, 5), priority=1)
    queue.add(high)
    assert step(queue) == [high]
    run(queue)
    assert (len(low.answer), len(high.answer), queue.preemptions) == (20, 4, 1)


def test_tenants_take_turns() -> None:
    """One asks ten times, the other twice, later: the other does not wait for all ten."""
    many = [sequence(prompt(i, 8), tenant="many") for i in range(10)]
    few = [sequence(prompt(20 + i, 8), tenant="few") for i in range(2)]
    order = run(scheduler(running=1), *many, *few)
    assert max(order.index(one) for one in few) <= 4


def test_what_has_most_of_its_prompt_in_the_cache_starts_first() -> None:
    queue = scheduler(running=1)
    run(queue, sequence(prompt(1, 20)))
    strange, half, whole = (
        sequence(p) for p in (prompt(2, 20), prompt(1, 10) + [5] * 10, prompt(1, 20))
    )
    assert run(queue, strange, half, whole) == [whole, half, strange]
    assert (whole.cached, half.cached, strange.cached) == (16, 8, 0)


def test_nobody_is_passed_over_for_ever() -> None:
    queue = scheduler(running=1)
    run(queue, sequence(prompt(1, 20)))
    strange = sequence(prompt(2, 20))
    favoured = [sequence(prompt(1, 20)) for _ in range(2 * PATIENCE)]
    order = run(queue, strange, *favoured)
    assert order.index(strange) == PATIENCE


def test_prompts_that_come_together_are_computed_once() -> None:
    """All but the first wait until its prompt is computed, here in two steps."""
    queue, several = scheduler(running=8), [sequence(prompt(1, 22)) for _ in range(5)]
    for one in several:
        queue.add(one)
    assert step(queue) == step(queue) == several[:1]
    assert step(queue) == several
    run(queue)
    assert [one.cached for one in several] == [0, 20, 20, 20, 20]


def test_the_whole_prompt_is_never_taken_from_the_cache() -> None:
    queue = scheduler()
    run(queue, sequence(prompt(1, 8)))
    again = sequence(prompt(1, 8))
    run(queue, again)
    assert again.cached == 4


def test_adapters_do_not_share() -> None:
    queue, one, other = scheduler(), sequence(prompt(1, 20)), sequence(prompt(1, 20))
    other.weights = "x"
    run(queue, one)
    run(queue, other)
    assert other.cached == 0


def test_an_answer_is_cached_for_the_next_turn() -> None:
    queue, first = scheduler(), sequence(prompt(1, 8), 9)
    run(queue, first)
    second = sequence([*first.ids, 1, 2, 3])
    run(queue, second)
    assert second.cached == 16


def test_short_memory_preempts_and_everybody_still_finishes() -> None:
    queue = scheduler(pages=12, running=4)
    several = [sequence(prompt(i, 8), 24) for i in range(4)]
    order = run(queue, *several)
    assert queue.preemptions > 0
    assert order[0] is several[0]
    assert [len(one.answer) for one in several] == [24] * 4


def test_the_youngest_of_the_lowest_priority_gives_way() -> None:
    queue = scheduler(pages=12, running=4)
    old, young, important = (sequence(prompt(i, 8), 24, priority=i == 2) for i in range(3))
    ends = []
    finish = queue.finish
    queue.finish = lambda one: (ends.append(one), finish(one))
    run(queue, old, young, important)
    assert ends == [important, old, young]


def test_what_missed_its_deadline_is_late_unless_it_has_started() -> None:
    queue = scheduler(running=1)
    running, waiting = (sequence(prompt(i, 5), 9, deadline=2.0) for i in range(2))
    queue.add(running)
    queue.add(waiting)
    step(queue, now=1.0)
    assert queue.late(2.0) == []
    assert queue.late(2.1) == [waiting]


def test_a_full_queue_is_busy() -> None:
    queue = scheduler(waiting=2)
    queue.add(sequence([1]))
    queue.add(sequence([2]))
    with pytest.raises(EngineBusy, match="2 requests"):
        queue.add(sequence([3]))


def test_finishing_waiting_and_running_ones_leaves_nothing_held() -> None:
    queue, several = scheduler(running=2), [sequence(prompt(i, 30)) for i in range(5)]
    for one in several:
        queue.add(one)
    step(queue)
    for one in several:
        queue.finish(one)
    assert queue.idle
    assert queue._cache.available == queue._cache.count


def test_rows_of_one_adapter_are_neighbours() -> None:
    queue, several = scheduler(running=6), [sequence(prompt(i, 2)) for i in range(6)]
    for i, one in enumerate(several):
        one.adapter = ("x", None, "y")[i % 3]
        queue.add(one)
    adapters = [work.adapter for _, work in queue.plan(0.0)]
    assert all(
        adapters[adapters.index(a) : adapters.index(a) + n] == [a] * n
        for a, n in Counter(adapters).items()
    )
