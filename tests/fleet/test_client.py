"""The fleet as routes see it: one real node answers as an engine in this process does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.fleet import Bus, Fleet, LoopThread
from openhearth.fleet.messages import Load, NodeBeat, answers, asks, cancels, encode
from openhearth.inference import (
    BadAdapter,
    BadConstraint,
    Constraint,
    ContextTooLong,
    DeadlinePassed,
    Delta,
    Engine,
    EngineBusy,
    Request,
    Sampling,
)
from openhearth.store import Store
from tests.conftest import make_adapter
from tests.fleet.conftest import PROMPT, Nodes, ask, tokens
from tests.waiting import until

MEMORY = '{"kv_memory": 2097152}'  # for 8,192 tokens


@pytest.fixture(scope="module")
def engine(long_home: Path) -> Iterator[Engine]:
    with Engine.open(Store(long_home), ["long", "tuned"]) as engine:
        yield engine


@pytest.mark.parametrize("model", ["long", "tuned"])
@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0},
        {"seed": 7, "logprobs": 3},
        {"seed": 2**64 + 9, "stop": ["e"], "skip_special_tokens": False},
        {"seed": 3, "constraint": Constraint("regex", "[a-z ]{5,40}")},
    ],
)
def test_it_answers_as_the_engine_does(
    fleet: Fleet, nodes: Nodes, engine: Engine, model: str, sampling: dict[str, Any]
) -> None:
    nodes.start()
    request = ask(model, 24, **sampling)
    *deltas, last = fleet.submit(request)
    *expected, end = engine.submit(request)
    assert deltas == expected
    assert last.usage is not None
    assert end.usage is not None
    assert last.timings is not None
    assert (last.text, last.tokens, last.logprobs, last.finish_reason) == (
        end.text,
        end.tokens,
        end.logprobs,
        end.finish_reason,
    )
    assert last.usage.completion_tokens == end.usage.completion_tokens


def test_many_at_once_from_threads_and_from_loops_are_each_their_own(
    fleet: Fleet, nodes: Nodes, engine: Engine
) -> None:
    nodes.start()
    requests = [ask(["long", "tuned"][i % 2], 5 + i, seed=i) for i in range(24)]
    expected = [tokens(list(engine.submit(request))) for request in requests]
    streams = [fleet.submit(request) for request in requests]

    async def read(stream: Any) -> list[int]:
        return tokens([delta async for delta in stream])

    async def all_of_them() -> list[list[int]]:
        return await asyncio.gather(*map(read, streams[:12]))

    assert asyncio.run(all_of_them()) == expected[:12]
    assert [tokens(list(stream)) for stream in streams[12:]] == expected[12:]


def test_without_a_seed_answers_differ(fleet: Fleet, nodes: Nodes) -> None:
    nodes.start()
    assert len({tuple(tokens(list(fleet.submit(ask(tokens=20))))) for _ in range(3)}) == 3


def test_it_knows_the_models_and_their_tokenizers(fleet: Fleet, engine: Engine) -> None:
    told = {replace(card, room=None) for card in engine.models()}  # a node's memory is its own
    assert set(fleet.models()) == told
    assert fleet.tokenizer("tuned").encode("fox") == engine.tokenizer("tuned").encode("fox")


def test_what_the_gateway_can_see_is_refused_before_any_node_is_asked(fleet: Fleet) -> None:
    """There is none, which would be the next thing to be told."""
    refused: list[tuple[type[HearthError], Request]] = [
        (NotFound, ask("missing")),
        (UsageError, Request("long", [])),
        (UsageError, Request("long", [10**6])),
        (UsageError, ask(logprobs=10**6)),
        (UsageError, Request("long", PROMPT, Sampling(logit_bias={10**6: 1.0}))),
        (UsageError, ask(stop="\ud800")),
        (ContextTooLong, ask(tokens=20_000)),
        (EngineBusy, ask()),
    ]
    for kind, request in refused:
        with pytest.raises(kind) as known:
            fleet.submit(request)
        assert known.type is kind
    with pytest.raises(EngineBusy, match="No node is there"):
        fleet.submit(ask())
    with pytest.raises(NotFound):
        fleet.tokenizer("missing")


def test_what_only_the_node_can_see_is_refused_by_its_own_words(
    fleet: Fleet, nodes: Nodes, long_home: Path
) -> None:
    store = Store(long_home)
    make_adapter(store, store.get("long"), "damaged", factor=float("nan"))
    nodes.start("--engine", MEMORY)
    refused: list[tuple[type[HearthError], Request]] = [
        (BadAdapter, ask("damaged")),
        (BadConstraint, ask(constraint=Constraint("regex", "("))),
        (ContextTooLong, Request("long", PROMPT * 400, Sampling(max_tokens=4000))),
    ]
    try:
        for kind, request in refused:
            with pytest.raises(kind) as known:
                list(fleet.submit(request))
            assert known.type is kind
        busy = fleet.submit(Request("long", PROMPT * 200, Sampling(max_tokens=1)))
        late = Request("long", PROMPT, Sampling(max_tokens=1), priority=-1, deadline=0.0)
        with pytest.raises(DeadlinePassed):
            list(fleet.submit(late))
        list(busy)
    finally:
        store.refs.drop("damaged")


def test_it_is_slow_to_submit_until_a_version_has_proved_itself(fleet: Fleet, nodes: Nodes) -> None:
    nodes.start()
    assert fleet.is_slow_to_submit(ask())
    list(fleet.submit(ask()))
    until(lambda: not fleet.is_slow_to_submit(ask()))
    assert fleet.is_slow_to_submit(ask("tuned"))
    assert fleet.is_slow_to_submit(ask(constraint=Constraint("regex", "a")))
    assert not fleet.is_slow_to_submit(ask("missing"))


def test_a_new_version_of_a_model_answers_without_a_restart(
    fleet: Fleet, nodes: Nodes, long_home: Path
) -> None:
    store = Store(long_home)
    nodes.start()
    make_adapter(store, store.get("long"), "versions", seed=11)
    request = ask("versions", 12, temperature=0)
    first = tokens(list(fleet.submit(request)))
    make_adapter(store, store.get("long"), "versions", seed=12)
    second = tokens(list(fleet.submit(request)))
    with Engine.open(store, ["versions"]) as engine:
        assert second == tokens(list(engine.submit(request)))
    store.refs.drop("versions")
    assert first != second


def test_closing_ends_streams_as_cancelled(fleet: Fleet, nodes: Nodes) -> None:
    nodes.start()
    stream = fleet.submit(ask(tokens=16_000))
    next(stream)
    fleet.close()
    *_, last = stream
    assert last.finish_reason == "cancelled"
    with pytest.raises(EngineBusy, match="stopping"):
        fleet.submit(ask())


class Script:
    """A node that does what a test says: what it is asked is kept, what it says is given."""

    def __init__(self, thread: LoopThread, bus: Bus, name: str, room: int = 10) -> None:
        self.asked: list[dict[str, Any]] = []
        self.cancelled = threading.Event()
        self._thread, self._bus, self._name = thread, bus, name
        self._room = room
        thread.run(bus.subscribe(asks(name), self._take))
        thread.run(bus.subscribe(cancels(name), lambda data: self.cancelled.set()))

    def _take(self, data: bytes) -> None:
        self.asked.append(orjson.loads(data))

    def beat(self, fleet: Fleet, **said: Any) -> None:
        beat = NodeBeat(self._name, room=self._room, **said)
        self._thread.run(self._bus.publish("beat.node", encode(beat)))
        until(lambda: beat in fleet.nodes())

    def say(self, data: bytes) -> None:
        self._thread.run(self._bus.publish(answers("gateway"), data))


def test_requests_go_to_the_node_with_the_fewest_and_none_beyond_their_room(
    fleet: Fleet, bus: Bus, thread: LoopThread
) -> None:
    scripts = [Script(thread, bus, name, room) for name, room in (("a", 3), ("b", 1), ("c", 3))]
    for script in scripts:
        script.beat(fleet)
    fleet._proven.add(fleet.models()[0].digest)
    for _ in range(7):
        fleet.submit(ask())
    with pytest.raises(EngineBusy, match="as much to do as they take"):
        fleet.submit(ask())
    until(lambda: [len(script.asked) for script in scripts] == [3, 1, 3])
    assert all(one["request"]["sampling"]["seed"] is not None for one in scripts[0].asked)


def test_garbage_is_dropped_and_answers_nobody_waits_for_are_cancelled(
    fleet: Fleet, bus: Bus, thread: LoopThread
) -> None:
    script = Script(thread, bus, "a")
    script.beat(fleet)
    fleet._proven.add(fleet.models()[0].digest)
    stream = fleet.submit(ask())
    until(lambda: script.asked)
    name = script.asked[0]["stream"]
    for garbage in (b"", b"\xff" * 100, b"[]", b'["a",[[1,2]]]', b'{"id": 3}', b"[[[" * 10_000):
        for subject in (answers("gateway"), "beat.node", "beat.gateway", asks("a")):
            if subject != asks("a"):
                thread.run(bus.publish(subject, garbage))
    script.say(b'["a",[["unknown",0,null,null,true,0]]]')
    assert script.cancelled.wait(30)
    said = b'["a",[["%s",0,["yes",[1],[],"stop",[30,1,0],null],null,true,0]]]' % name.encode()
    script.say(said)
    assert [delta.text for delta in stream] == ["yes"]


def test_who_waits_for_a_model_hears_when_it_is_there_and_how_long_that_took(
    fleet: Fleet, bus: Bus, thread: LoopThread
) -> None:
    digest = fleet.models()[0].digest
    script = Script(thread, bus, "a")
    script.beat(fleet)
    fleet._proven.add(digest)
    cold, refused = fleet.submit(ask()), fleet.submit(ask())
    until(lambda: len(script.asked) == 2)
    names = [one["stream"].encode() for one in script.asked]
    script.say(b'["a",[["%s",0,null,null,true,1.5]]]' % names[0])
    script.say(b'["a",[["%s",0,null,["HearthError","The disk failed."],false,0]]]' % names[1])
    asyncio.run(cold.begun())
    assert cold.loading == 1.5
    with pytest.raises(HearthError, match="disk failed"):
        asyncio.run(refused.begun())
    script.beat(fleet, loads={digest: Load(1.5, 7, 0.0)})
    warm = fleet.submit(ask())
    asyncio.run(warm.begun())  # at once, whatever the node says
    assert warm.loading == 0


def test_a_lost_part_ends_the_stream(fleet: Fleet, bus: Bus, thread: LoopThread) -> None:
    script = Script(thread, bus, "a")
    script.beat(fleet)
    fleet._proven.add(fleet.models()[0].digest)
    stream = fleet.submit(ask())
    until(lambda: script.asked)
    name = script.asked[0]["stream"].encode()
    for number in (0, 0, 2):
        script.say(
            b'["a",[["%s",%d,["%d",[1],[],null,null,null],null,true,0]]]' % (name, number, number)
        )
    assert next(stream) == Delta("0", (1,))
    with pytest.raises(EngineBusy, match="lost on its way"):
        next(stream)
    assert script.cancelled.wait(30)
