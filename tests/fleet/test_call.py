"""A call: parts in order and once, a gap is the end, another node may begin again."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import HearthError, UsageError
from openhearth.fleet.call import Call, FleetStream, NodeLost
from openhearth.fleet.messages import Part
from openhearth.inference import Delta, Request
from openhearth.inference.stream import wake

LENGTH = 6


def part(number: int) -> Part:
    reason = "length" if number == LENGTH - 1 else None
    return Part("s", number, Delta(str(number), (number,), finish_reason=reason))


def begun(loop: asyncio.AbstractEventLoop) -> Call:
    call = Call(Request("m", [1, 2]), "base", FleetStream(wake))
    call.begin("s", "node", b"", loop.create_future())
    return call


def received(call: Call) -> list[int]:
    """The tokens that a reader has got so far."""
    return [token for delta in call.stream._deltas for token in delta.tokens]


@given(st.lists(st.integers(0, LENGTH - 1), max_size=20))
def test_whatever_arrives_the_reader_gets_a_beginning_of_the_answer_or_an_error(
    order: list[int],
) -> None:
    async def main() -> None:
        call = begun(asyncio.get_running_loop())
        expected, gap = 0, False
        for number in order:
            call.receive(part(number))
            gap = gap or (number > expected and expected < LENGTH)
            expected += number == expected and not gap
        assert received(call) == list(range(expected))
        assert call.over is not None
        assert call.over.done() == (gap or expected == LENGTH)
        if gap:
            assert isinstance(call.over.exception(), NodeLost)

    asyncio.run(main())


def test_that_a_stream_goes_on_is_no_part_but_shows_a_gap() -> None:
    async def main() -> None:
        call = begun(asyncio.get_running_loop())
        call.receive(Part("s", 0, accepted=False))
        assert not call.word.done()
        call.receive(Part("s", 0))
        assert call.word.done()
        assert not call.began
        call.receive(part(0))
        call.receive(Part("s", 1))
        assert call.over is not None
        assert not call.over.done()
        call.receive(Part("s", 2))
        with pytest.raises(NodeLost, match="lost on its way"):
            await call.over

    asyncio.run(main())


def test_an_error_of_the_node_ends_it() -> None:
    async def main() -> None:
        call = begun(asyncio.get_running_loop())
        call.receive(part(0))
        call.receive(Part("s", 1, error=UsageError("It is wrong.")))
        call.receive(part(1))
        assert call.over is not None
        with pytest.raises(UsageError, match="wrong"):
            await call.over
        call.give_up(UsageError("It is wrong."))

    asyncio.run(main())


def test_a_node_that_stops_before_it_has_answered_is_another_ones_turn() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        call = begun(loop)
        call.receive(Part("s", 0, Delta(finish_reason="cancelled")))
        assert call.over is not None
        assert isinstance(call.over.exception(), NodeLost)
        call.begin("s", "other", b"", loop.create_future())
        for number in range(LENGTH):
            call.receive(part(number))
        assert received(call) == list(range(LENGTH))

    asyncio.run(main())


def test_given_up_it_fails_and_its_word_is_the_reason() -> None:
    async def main() -> None:
        call = begun(asyncio.get_running_loop())
        call.give_up(HearthError("Too bad."))
        with pytest.raises(HearthError, match="Too bad"):
            await anext(call.stream)
        with pytest.raises(HearthError, match="Too bad"):
            call.word.result(0)

    asyncio.run(main())


def test_given_up_when_nobody_wants_it_it_is_cancelled_and_counted() -> None:
    told: list[bool] = []

    async def main() -> None:
        call = begun(asyncio.get_running_loop())
        call.stream.tell = lambda: told.append(True)
        call.receive(part(0))
        call.stream.cancel()
        call.stream.cancel()
        call.give_up(HearthError("Too bad."))
        *_, last = [delta async for delta in call.stream]
        assert last.finish_reason == "cancelled"
        assert last.usage is not None
        assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (2, 1)

    asyncio.run(main())
    assert told == [True]


def test_only_who_has_to_wait_for_a_model_waits_for_a_word() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        call = begun(loop)
        await call.stream.begun()
        call.begin("s", "cold", b"", loop.create_future(), cold=True)
        waiting = asyncio.create_task(call.stream.begun())
        await asyncio.sleep(0)
        call.receive(Part("s", 0, accepted=False))
        assert not waiting.done()
        call.receive(Part("s", 0, loading=2.5))
        await waiting
        assert call.stream.loading == 2.5

    asyncio.run(main())


def test_who_stops_waiting_for_a_word_takes_it_from_nobody() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        call = begun(loop)
        call.begin("s", "cold", b"", loop.create_future(), cold=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.stream.begun(), 0.01)
        call.receive(part(0))
        call.word.result(0)

    asyncio.run(main())


def test_cancelling_what_has_ended_tells_nobody() -> None:
    stream = FleetStream(wake, lambda: pytest.fail("it is over"))
    stream.put(Delta(finish_reason="stop"))
    stream.cancel()
