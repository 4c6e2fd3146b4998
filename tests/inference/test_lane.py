"""Steps taken by hand: what is cancelled takes no part in the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.data.tokenizer import Tokenizer
from openhearth.inference import Request, Sampling, lane
from openhearth.inference.adapters import Adapters
from openhearth.inference.executor import open_executor
from openhearth.inference.lane import Lane
from openhearth.inference.sequence import Sequence
from openhearth.inference.text import TextStream
from openhearth.store import Store

NO_END = {2: -100, 4: -100}  # the tokens that end an answer
CHUNK = 16  # tokens of a step


@pytest.fixture
def queue(tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    monkeypatch.setattr(lane, "STEP_TOKENS", CHUNK)
    base = Store(tiny_model_home).get("tiny")
    executor = open_executor("torch", base, memory=2**20, dtype="float32")
    adapters = Adapters(executor, {}, memory=0, between_steps=lambda call: call())
    return Lane(executor, Tokenizer.load(base), most_running=2, adapters=adapters)


def add(queue: Lane, first: int, length: int) -> Sequence:
    """A request for more tokens than any test waits for."""
    prompt = list(range(first, first + length))
    request = Request("tiny", prompt, Sampling(max_tokens=100, logit_bias=NO_END))
    text = TextStream(queue._tokenizer, prompt, [])
    sequence = Sequence(request, None, seed=0, text=text)
    queue.prepare(sequence)
    queue.add(sequence)
    return sequence


def step(queue: Lane) -> list[Sequence]:
    """One step; who took part in it."""
    plan = queue.plan()
    queue.deliver(plan, queue.compute(plan))
    return [sequence for sequence, _ in plan]


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 10])
def test_what_is_cancelled_between_steps_is_in_none_any_more(queue: Lane, steps: int) -> None:
    """Before its first step, within its prompt of three, and while it answers."""
    one, other = add(queue, 10, 3 * CHUNK), add(queue, 100, 5)
    did = [step(queue) for _ in range(steps)]
    assert all(one in those for those in did)
    tokens = len(one.answer)
    assert tokens == max(0, steps - 2)
    one.stream.cancel()
    assert step(queue) == [other]
    *_, last = one.stream
    assert last.finish_reason == "cancelled"
    assert last.usage is not None
    assert last.usage.completion_tokens == tokens


def test_what_is_cancelled_within_a_step_gets_no_more_than_its_token(queue: Lane) -> None:
    one = add(queue, 10, 5)
    for answered in range(3):
        assert len(one.answer) == answered
        plan = queue.plan()
        if answered == 2:
            one.stream.cancel()
        queue.deliver(plan, queue.compute(plan))
    assert queue.plan() == []
    assert queue.idle
    assert len(one.answer) == 3
    assert queue._cache.available == queue._cache.count


def test_what_waits_is_cancelled_without_a_step_and_makes_room(queue: Lane) -> None:
    running = [add(queue, 10, 5), add(queue, 20, 5)]
    waiting, next_one = add(queue, 30, 5), add(queue, 40, 5)
    assert step(queue) == running
    waiting.stream.cancel()
    running[0].stream.cancel()
    assert step(queue) == [running[1], next_one]
    assert waiting.answer == []
