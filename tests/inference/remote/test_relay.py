"""Requests on their way to another server: order, bounds, cancelling, failures."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from openhearth.errors import HearthError, UsageError
from openhearth.inference.remote import lane as lane_module
from openhearth.inference.remote import relay as relay_module
from openhearth.inference.remote.peer import Peer
from openhearth.inference.remote.relay import Relay
from openhearth.inference.request import Constraint, DeadlinePassed, Delta, EngineBusy, Usage
from openhearth.inference.sequence import Sequence
from tests.inference.remote.conftest import Client, Stranger, begin, chunk, fail, say

WAIT = 10.0  # seconds, for what is sure to happen


class Gate:
    """Holds answers until it is opened; afterwards they say their own prompts' last tokens."""

    def __init__(self, stranger: Stranger) -> None:
        self.opened = threading.Event()
        self.left = threading.Semaphore(0)
        self.came = threading.Semaphore(0)
        stranger.answer = self

    def __call__(self, handler: Any, body: dict[str, Any]) -> None:
        begin(handler)
        handler.wfile.write(chunk("first "))
        self.came.release()
        handler.connection.settimeout(0.02)
        while not self.opened.is_set():
            try:
                if not handler.rfile.read(1):
                    self.left.release()
                    return
            except TimeoutError:
                handler.rfile = handler.connection.makefile("rb")
        handler.wfile.write(chunk("last", finish_reason="length"))


def last(sequence: Sequence) -> Delta:
    return list(sequence.stream)[-1]


def test_an_answer_with_all_that_belongs_to_it(client: Client, stranger: Stranger) -> None:
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 1},
    }

    def answer(handler: Any, body: dict[str, Any]) -> None:
        begin(handler)
        for text in ("Hel", "lo"):
            handler.wfile.write(chunk(text, token_ids=[7]))
        handler.wfile.write(chunk(finish_reason="length"))
        handler.wfile.write(chunk(usage=usage) + b"data: [DONE]\n\n")

    stranger.answer = answer
    sequence = client.ask(max_tokens=2)
    first, second, end = sequence.stream
    assert [(d.text, d.tokens) for d in (first, second)] == [("Hel", (7,)), ("lo", (7,))]
    assert end.finish_reason == "length"
    assert end.usage == Usage(len(sequence.request.prompt), 2, 1)
    assert end.timings
    assert 0 <= end.timings.queued <= end.timings.first_token <= end.timings.total
    assert stranger.asked[0]["prompt"] == list(sequence.request.prompt)
    assert stranger.headers[-1]["authorization"] == "Bearer secret-key"


def test_connections_are_used_again(client: Client, stranger: Stranger) -> None:
    ports = []

    def answer(handler: Any, body: dict[str, Any]) -> None:
        ports.append(handler.client_address[1])
        content = chunk("x", finish_reason="stop") + b"data: [DONE]\n\n"
        handler.protocol_version = "HTTP/1.1"
        begin(handler, **{"content-length": str(len(content))})
        handler.wfile.write(content)
        handler.close_connection = False

    stranger.answer = answer
    assert [client.text() for _ in range(3)] == ["x"] * 3
    assert len(set(ports)) == 1


def test_what_a_stranger_counts_is_believed_as_far_as_it_can_be(
    client: Client, stranger: Stranger
) -> None:
    told = {"prompt_tokens": 1, "completion_tokens": 10**6}
    told |= {"prompt_tokens_details": {"cached_tokens": 10**6}}
    stranger.answer = lambda handler, body: (
        begin(handler),
        handler.wfile.write(chunk("x", finish_reason="stop", usage=told)),
    )
    sequence = client.ask(max_tokens=9)
    prompt = len(sequence.request.prompt)
    assert last(sequence).usage == Usage(prompt, 9, prompt)


def test_what_is_not_counted_there_is_counted_here(client: Client, stranger: Stranger) -> None:
    stranger.answer = lambda handler, body: (
        begin(handler),
        handler.wfile.write(chunk("The quick", finish_reason="stop")),
    )
    sequence = client.ask()
    expected = len(client.tokenizer.encode("The quick"))
    assert last(sequence).usage == Usage(len(sequence.request.prompt), expected)


def test_only_so_many_are_under_way(client: Client, stranger: Stranger) -> None:
    gate = Gate(stranger)
    sequences = [client.ask() for _ in range(5)]
    for _ in range(2):
        assert gate.came.acquire(timeout=WAIT)
    assert not gate.came.acquire(timeout=0.1)
    gate.opened.set()
    assert [last(one).finish_reason for one in sequences] == ["length"] * 5
    assert sequences[0].timings().queued <= sequences[4].timings().queued


def test_priority_then_the_least_served_tenant_then_the_first(
    client: Client, stranger: Stranger
) -> None:
    gate = Gate(stranger)
    running = [client.ask(tenant="a") for _ in range(2)]
    for _ in range(2):
        assert gate.came.acquire(timeout=WAIT)
    waiting = {
        "a1": client.ask("The quick", tenant="a"),
        "a2": client.ask("The quick", tenant="a"),
        "b": client.ask("The quick", tenant="b"),
        "high": client.ask("The quick", tenant="a", priority=1),
    }
    gate.opened.set()
    for sequence in [*running, *waiting.values()]:
        last(sequence)
    order = sorted(waiting, key=lambda name: waiting[name].started or 0)
    assert order == ["high", "b", "a1", "a2"]


def test_cancelling_closes_the_connection(client: Client, stranger: Stranger) -> None:
    gate = Gate(stranger)
    sequence = client.ask()
    assert next(sequence.stream).text == "first "
    sequence.stream.cancel()
    assert last(sequence).finish_reason == "cancelled"
    assert gate.left.acquire(timeout=WAIT)


def test_cancelling_what_waits_never_asks_for_it(client: Client, stranger: Stranger) -> None:
    gate = Gate(stranger)
    running = [client.ask() for _ in range(2)]
    for _ in range(2):
        assert gate.came.acquire(timeout=WAIT)
    waiting = client.ask()
    waiting.stream.cancel()
    assert last(waiting).finish_reason == "cancelled"
    gate.opened.set()
    assert [last(one).finish_reason for one in running] == ["length"] * 2
    assert len(stranger.asked) == 2


def test_a_deadline_that_passes_in_the_queue(client: Client, stranger: Stranger) -> None:
    gate = Gate(stranger)
    running = [client.ask(deadline=0.5) for _ in range(2)]
    for _ in range(2):
        assert gate.came.acquire(timeout=WAIT)
    with pytest.raises(DeadlinePassed):
        last(client.ask(deadline=0.05))
    time.sleep(0.6)
    gate.opened.set()
    assert [last(one).finish_reason for one in running] == ["length"] * 2


def test_a_full_queue_refuses(
    client: Client, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MOST_WAITING", 1)
    gate = Gate(stranger)
    sequences = [client.ask() for _ in range(3)]
    with pytest.raises(EngineBusy, match="waiting already"):
        client.ask()
    gate.opened.set()
    for sequence in sequences:
        last(sequence)
    stranger.answer = lambda handler, body: say(handler, "Hi", end=True)
    assert client.text() == "Hi"


def test_one_that_breaks_off_ends_alone(client: Client, stranger: Stranger) -> None:
    def answer(handler: Any, body: dict[str, Any]) -> None:
        breaks = body["max_tokens"] == 1
        say(handler, "some", "text", end=not breaks)

    stranger.answer = answer
    good, bad = client.ask(max_tokens=9), client.ask(max_tokens=1)
    seen = []
    with pytest.raises(HearthError, match="stopped in the middle"):
        seen.extend(bad.stream)
    assert last(good).finish_reason == "stop"
    assert client.text() == "sometext"


def test_refusals_reach_the_one_who_asked(client: Client, stranger: Stranger) -> None:
    stranger.answer = lambda handler, body: fail(handler, 400, {"error": {"message": "too odd"}})
    with pytest.raises(UsageError, match="too odd"):
        client.text()
    assert len(stranger.asked) == 1


def test_connecting_is_tried_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []
    real = Peer.complete

    def at_the_third(self: Peer, *arguments: Any) -> Any:
        tries.append(self)
        there = self if len(tries) > 2 else Peer("http://127.0.0.1:1")
        return real(there, *arguments)

    monkeypatch.setattr(Peer, "complete", at_the_third)
    assert client.text() == "Hi"
    assert len(tries) == 3


def test_what_cannot_be_reached_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(client.lane, "_peer", Peer("http://127.0.0.1:1"))
    with pytest.raises(EngineBusy, match="cannot be reached"):
        client.text()


def test_a_bug_spoils_one_request_only(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(lane_module.Reader, "read", lambda *arguments: 1 / 0)
        with pytest.raises(HearthError, match="division by zero"):
            client.text()
    assert client.text() == "Hi"


def test_a_constraint_without_words_is_refused_before_anything_is_sent(
    client: Client, stranger: Stranger
) -> None:
    with pytest.raises(UsageError, match="grammar"):
        client.ask(constraint=Constraint("grammar", 'start: "a"'))
    assert stranger.asked == []


def test_logits_stay_where_they_are(client: Client) -> None:
    with pytest.raises(UsageError, match="computed elsewhere"):
        client.relay.call(lambda: client.lane.logits([1], None))


def test_closing_ends_what_runs_and_what_waits(client: Client, stranger: Stranger) -> None:
    gate, ended = Gate(stranger), []
    relay = Relay(client.peer, 1, lambda: ended.append(True))
    client.relay, before = relay, client.relay
    sequences = [client.ask() for _ in range(3)]
    assert gate.came.acquire(timeout=WAIT)
    relay.close()
    assert [last(one).finish_reason for one in sequences] == ["cancelled"] * 3
    assert ended == [True]
    with pytest.raises(EngineBusy, match="closing"):
        client.ask()
    relay.close()
    client.relay = before
