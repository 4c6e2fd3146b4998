"""Messages: what goes out comes in as it was, and bytes of strangers are refused by one error."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import HearthError, UsageError
from openhearth.fleet import messages
from openhearth.fleet.errors import KNOWN, BadMessage
from openhearth.fleet.messages import (
    Ask,
    Cancel,
    GatewayBeat,
    Load,
    NodeBeat,
    Part,
    decode_ask,
    decode_cancel,
    decode_gateway,
    decode_left,
    decode_node,
    decode_parts,
    encode,
    encode_parts,
)
from openhearth.inference import (
    BadConstraint,
    Constraint,
    Delta,
    Request,
    Sampling,
    Timings,
    TokenLogprob,
    Usage,
)

MODEL = "ab" * 32
DECODERS = (decode_ask, decode_cancel, decode_gateway, decode_left, decode_node, decode_parts)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=64)
token_ids = st.integers(0, 2**31 - 1)
numbers = st.integers(0, 2**53)
logprobs = st.floats(max_value=0.0, allow_nan=False)
described = st.builds(
    TokenLogprob,
    token_ids,
    texts,
    logprobs,
    st.lists(st.tuples(token_ids, texts, logprobs), max_size=3).map(tuple),
)
times = st.floats(0, 1e9)
deltas = st.builds(
    Delta,
    texts,
    st.lists(token_ids, max_size=3).map(tuple),
    st.lists(described, max_size=2).map(tuple),
    st.sampled_from([None, "stop", "length", "cancelled"]),
    st.none() | st.builds(Usage, numbers, numbers, numbers),
    st.none() | st.builds(Timings, times, times, times),
)
errors = st.builds(lambda kind, text: kind(text), st.sampled_from(list(KNOWN.values())), texts)
told = st.tuples(st.none() | deltas, st.none()) | st.tuples(st.none(), errors)
parts = st.builds(
    lambda stream, number, told, accepted, loading: Part(stream, number, *told, accepted, loading),
    names,
    numbers,
    told,
    st.booleans(),
    times,
)
constraints = st.builds(
    Constraint, st.sampled_from(["json_schema", "regex", "choice", "grammar"]), texts
) | st.builds(Constraint, st.just("choice"), st.lists(texts, min_size=1, max_size=3).map(tuple))
samplings = st.builds(
    Sampling,
    max_tokens=st.integers(1, 1_000_000),
    temperature=st.floats(0, 2),
    top_k=st.integers(0, 1000),
    logit_bias=st.dictionaries(token_ids, st.floats(-100, 100), max_size=3),
    seed=st.none() | st.integers(0, 2**64 - 1),
    stop=st.lists(texts, max_size=2).map(tuple),
    skip_special_tokens=st.booleans(),
    logprobs=st.none() | st.integers(0, 20),
    constraint=st.none() | constraints,
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
requests = st.builds(
    Request,
    digests,
    st.lists(token_ids, max_size=30),
    samplings,
    st.integers(-(2**31), 2**31),
    texts,
    st.none() | st.floats(0, 1e6),
)


def same(one: Part, other: Part) -> bool:
    """Equal, where errors are so if they are of one kind and text."""
    alike = type(one.error), str(one.error)
    told = type(other.error), str(other.error)
    first, second = (replace(part, error=None) for part in (one, other))
    return (first, *alike) == (second, *told)


@given(names, st.lists(parts, min_size=1, max_size=5))
def test_parts_come_in_as_they_went_out(node: str, sent: list[Part]) -> None:
    (data,) = encode_parts(node, sent)
    who, received = decode_parts(data)
    assert who == node
    assert all(map(same, sent, received))
    assert len(received) == len(sent)


@given(names, names, requests)
def test_a_request_comes_in_as_it_went_out(stream: str, gateway: str, request: Request) -> None:
    ask = Ask(stream, gateway, request)
    assert decode_ask(encode(ask)) == ask


def test_beats_come_in_as_they_went_out() -> None:
    load = Load(0.25, 10**8, 1.75e9)
    node = NodeBeat("n", ("ab" * 32,), {"ab" * 32: load}, 3, 288, True)
    assert decode_node(encode(node)) == node
    assert decode_gateway(encode(GatewayBeat("g"))) == GatewayBeat("g")
    assert decode_cancel(encode(Cancel("s"))) == "s"


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(BadMessage):
            decode(data)


json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**64 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(json)
def test_foreign_json_is_refused_or_has_the_right_shape(value: object) -> None:
    data = orjson.dumps(value)
    for decode in DECODERS:
        refusal = ""
        try:
            decode(data)
        except BadMessage as error:
            refusal = str(error)
        assert len(refusal) < 500  # for the log: the stranger does not choose its length


@given(st.data())
def test_a_message_with_a_changed_byte_is_refused_or_has_the_right_shape(
    data: st.DataObject,
) -> None:
    message = bytearray(b"".join(encode_parts("n", [data.draw(parts)])))
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, received = decode_parts(bytes(message))
    except BadMessage:
        return
    assert all(isinstance(part.number, int) and part.number >= 0 for part in received)


def test_a_request_out_of_range_is_refused() -> None:
    good = orjson.loads(encode(Ask("s", "g", Request(MODEL, [1]))))
    good["request"]["sampling"]["temperature"] = 3.0
    with pytest.raises(BadMessage, match="temperature"):
        decode_ask(orjson.dumps(good))


@pytest.mark.parametrize("model", ["long", "../../etc/passwd", "AB" * 32, "ab" * 31])
def test_a_request_for_what_is_no_digest_is_refused(model: str) -> None:
    with pytest.raises(BadMessage, match="digest"):
        decode_ask(encode(Ask("s", "g", Request(model, [1]))))


def test_numbers_of_numpy_are_numbers() -> None:
    request = Request(MODEL, list(np.arange(3)), Sampling(top_k=np.int64(5), seed=np.uint64(2**63)))
    received = decode_ask(encode(Ask("s", "g", request))).request
    assert (received.prompt, received.sampling.top_k) == ([0, 1, 2], 5)
    assert received.sampling.seed == 2**63


@pytest.mark.parametrize(
    "request_",
    [
        Request(MODEL, [1], Sampling(stop="\ud800")),
        Request(MODEL, [2**70]),
        Request(MODEL, [1_000_000] * 2_000_000),
    ],
)
def test_what_cannot_be_sent_is_the_callers_error(request_: Request) -> None:
    with pytest.raises(UsageError, match="request"):
        encode(Ask("s", "g", request_))


def test_an_error_that_others_do_not_know_crosses_as_the_nearest_that_they_do() -> None:
    class Special(BadConstraint):
        """Of this process."""

    (data,) = encode_parts("n", [Part("s", 0, error=Special("It is \ud800 special."))])
    (part,) = decode_parts(data)[1]
    assert type(part.error) is BadConstraint
    assert str(part.error) == "It is ? special."


def test_minus_infinity_crosses() -> None:
    token = TokenLogprob(1, "a", -math.inf, ((2, "b", -math.inf),))
    (data,) = encode_parts("n", [Part("s", 0, Delta("a", (1,), (token,)))])
    (part,) = decode_parts(data)[1]
    assert part.delta is not None
    assert part.delta.logprobs == (token,)


def test_many_parts_are_as_many_messages_as_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "FULL", 500)
    sent = [Part(str(number), number, Delta("x" * 90)) for number in range(20)]
    sent.insert(7, Part("large", 3, Delta("x" * 600)))
    together = list(encode_parts("n", sent))
    assert len(together) > 4
    assert all(len(data) < 600 for data in together)
    received = [part for data in together for part in decode_parts(data)[1]]
    assert [part.stream for part in received] == [part.stream for part in sent]
    assert isinstance(received[7].error, HearthError)
