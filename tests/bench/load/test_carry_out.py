"""The load generator against a server of known truth: what it sends, when, and what it notes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from openhearth.bench.load import Sent, carry_out, drive, pool
from openhearth.bench.records import Ask, Failure, Record
from openhearth.bench.stub import Answering, Times, Truth, log_of, stub
from openhearth.errors import HearthError, UsageError
from tests.bench.load.conftest import ask, target
from tests.waiting import until

AGREES_S = 5.0  # between a stub's writing and our noting, on a very busy machine
CLOCKS_S = 0.01  # of what the clock of the day may be moved by meanwhile


def begin(sent: Sent) -> float:
    """Of a load, by CLOCK_MONOTONIC, which a stub's log uses too."""
    return sent.began - time.time() + time.monotonic()


def sound(sent: Sent) -> list[Record]:
    assert [record.detail for record in sent.records if record.failure] == []
    return sent.records


def test_times_that_are_noted_are_those_at_which_the_server_wrote() -> None:
    truth = Truth(
        canned=6, chunk=2, first=Times(median_s=0.05), gap=Times(median_s=0.03, sigma=0.5)
    )
    asks = [ask(number, at=0.02 * number) for number in range(10)]
    with stub(truth) as url:
        sent = carry_out(target(url), asks)
        start, records, log = begin(sent), sound(sent), log_of(url)
    for record, entry in zip(records, log, strict=True):
        assert record.due == pytest.approx(0.02 * record.number)
        assert record.due <= (record.sent or 0) <= entry["came"] - start + CLOCKS_S
        assert len(record.chunks) == len(entry["writes"]) == 3
        for chunk, written in zip(record.chunks, entry["writes"], strict=True):
            assert written - start - CLOCKS_S <= chunk.at < written - start + AGREES_S
        assert (record.began or 0) <= record.chunks[0].at
        assert record.chunks[-1].at <= (record.ended or 0)


def test_a_record_has_all_that_was_said_and_asked() -> None:
    truth = Truth(serves=Answering(length=5, thinks=2), usage_factor=2)
    with stub(truth) as url:
        request = ask()
        request.body.update(logprobs=True, top_logprobs=2)
        (record,) = sound(carry_out(target(url), [request]))
    assert record.request == request.body
    assert record.status == 200
    assert record.seen_model == "stub"
    assert record.finish in ("stop", "length")
    words = [chunk for chunk in record.chunks if chunk.part == "text"]
    assert len(words) == len(record.logprobs)
    assert "".join(one["token"] for one in record.logprobs) == record.text
    assert len(record.logprobs[0]["top_logprobs"]) == 2
    assert len(record.chunks) == len(words) + 2
    assert record.completion_tokens == 2 * len(record.chunks)  # the truth's lie
    assert record.prompt_tokens == 2 * 3  # "user:", "Hello" and "assistant:"
    assert record.connect_s is not None


def test_all_routes_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "RESTED_S", 0)  # else a busy machine decides which are used again
    asks = [
        ask(0),
        Ask(1, "code", "completions", {"prompt": "def f", "max_tokens": 5, "seed": 1}),
        Ask(2, "embeddings", "embeddings", {"input": ["a", "b"]}),
    ]
    with stub() as url:
        records = sound(carry_out(target(f"{url}/v1/"), asks, callers=1))
        routes = [entry["route"] for entry in log_of(url)]
    assert routes == [record.route for record in records]
    assert records[1].text.split()
    assert records[2].chunks == []
    assert records[2].prompt_tokens == 2
    assert [record.connect_s is None for record in records] == [False, True, True]


def test_an_open_loop_does_not_wait_for_answers() -> None:
    """The server is silent for all of them: only an open loop asks eight times."""
    with stub(Truth(canned=4, faults={"silence": 1})) as url:
        sent = carry_out(target(url), [ask(n, at=0.01 * n) for n in range(8)], timeout_s=1)
        assert len(log_of(url)) == 8
    assert {record.failure for record in sent.records} == {Failure.TIMEOUT}
    assert len(sent.lateness_s) == 8
    assert min(sent.lateness_s) >= 0


def test_callers_never_have_more_under_way_than_they_are() -> None:
    with stub(Truth(canned=4, first=Times(median_s=0.02))) as url:
        seen: list[int] = []
        sound(carry_out(target(url), [ask(n) for n in range(20)], callers=3, seen=seen.append))
        log = log_of(url)
    assert len(log) == 20
    assert seen[-1] == 20
    most = max(
        sum(other["came"] <= entry["came"] < other["ended"] for other in log) for entry in log
    )
    assert most == 3


@pytest.mark.parametrize("callers", [None, 2])
def test_the_next_turn_comes_after_the_last_and_its_pause_and_has_all_before_it(
    callers: int | None,
) -> None:
    turns = [ask(0, text="One"), ask(1, 0.2, "Two", after=0), ask(2, 0.1, "Three", after=1)]
    with stub(Truth(serves=Answering(length=8))) as url:
        first, second, third = sound(carry_out(target(url), turns, callers=callers))
    assert second.due == pytest.approx((first.ended or 0) + 0.2)
    assert third.due == pytest.approx((second.ended or 0) + 0.1)
    assert [(m["role"], m["content"]) for m in third.request["messages"]] == [
        ("user", "One"),
        ("assistant", first.text),
        ("user", "Two"),
        ("assistant", second.text),
        ("user", "Three"),
    ]
    assert second.text != first.text


def test_after_a_turn_that_failed_the_others_are_not_sent_but_told() -> None:
    turns = [ask(0), ask(1, 0.1, after=0), ask(2, 0.1, after=1), ask(3)]
    with stub(Truth(canned=4, faults={"server": 1})) as url:
        first, second, third, alone = carry_out(target(url), turns).records
        assert len(log_of(url)) == 2
    assert first.failure is second.failure is third.failure is alone.failure is Failure.SERVER
    assert "not sent: turn 0" in second.detail
    assert "not sent: turn 1" in third.detail
    assert second.sent is None
    assert second.due == pytest.approx((first.ended or 0) + 0.1)


def test_who_hangs_up_ends_as_planned() -> None:
    truth = Truth(canned=50, gap=Times(median_s=0.01))
    with stub(truth) as url:
        given_up, short = carry_out(target(url), [ask(0, hang_up=3), ask(1, hang_up=1000)]).records
        first = log_of(url)[0]
    assert given_up.failure is short.failure is None
    assert given_up.hung_up
    assert 3 <= len(given_up.chunks) < 50
    assert not short.hung_up
    assert len(short.chunks) == 50
    assert first["left"]


def test_several_processes_send_one_load_at_one_time() -> None:
    asks = [ask(n, at=0.05 + 0.01 * n) for n in range(12)]
    asks += [ask(12, 0.05, after=0), ask(13, 0.05, after=12)]
    with stub(Truth(canned=4)) as url:
        seen: list[int] = []
        sent = carry_out(target(url), asks, processes=2, seen=seen.append)
        start, records, log = begin(sent), sound(sent), log_of(url)
    assert [record.number for record in records] == list(range(14))
    assert {record.process for record in records} == {0, 1}
    assert [records[n].process for n in (0, 12, 13)] == [0, 0, 0]
    assert len(log) == len(sent.lateness_s) == 14
    assert max(seen) <= 14
    # If each comes after it was due, so does the k-th after k were due.
    for due, came in zip(sorted(r.due for r in records), (e["came"] for e in log), strict=True):
        assert due <= came - start + CLOCKS_S


def test_a_process_that_dies_is_not_passed_over() -> None:
    """The kernel ends one of two, as it does when memory runs out."""
    with stub(Truth(canned=4, faults={"silence": 1})) as url:

        def end() -> None:
            until(lambda: len(log_of(url)) == 2)
            os.kill(workers()[0], signal.SIGKILL)

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(HearthError, match=r"died \(status -9\)"):
            carry_out(target(url), [ask(0), ask(1)], processes=2)
        thread.join()
    assert workers() == []


def workers() -> list[int]:
    """Processes of ours that send a load."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    of = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, command in of.items() if b"bench.load.workers" in command]


def test_what_is_read_while_the_load_runs_is_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = [ask(n, text=str(n)) for n in range(4)]
    with stub() as url:
        after = sound(carry_out(target(url), asks))
        monkeypatch.setattr(drive, "HELD", 0)
        meanwhile = sound(carry_out(target(url), asks))
    assert [one.text for one in meanwhile] == [one.text for one in after]
    assert all(one.finish == "length" for one in meanwhile)


def test_of_nothing_comes_nothing() -> None:
    with stub() as url:
        assert carry_out(target(url), []).records == []


def test_no_process_is_without_a_caller() -> None:
    with stub(Truth(canned=2)) as url:
        sent = carry_out(target(url), [ask(n) for n in range(3)], processes=2, callers=1)
    assert len(sound(sent)) == 3


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:80", "ftp://host", "http://", "http://host:x", "http://a:b@host", "http://h?q"],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    for processes in (1, 2):
        with pytest.raises(UsageError):
            carry_out(target(url), [ask()], processes=processes)


@pytest.mark.parametrize(
    "wrong", [{"callers": 0}, {"processes": 0}, {"timeout_s": 0.0}, {"timeout_s": float("nan")}]
)
def test_a_load_needs_somebody_to_send_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="at least one"):
        carry_out(target("http://host"), [ask()], **wrong)


def test_a_key_or_authorities_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match="header"):
        carry_out(target("http://host", key="a\r\nb: c"), [ask()])
    with pytest.raises(UsageError, match="certificates"):
        carry_out(target("https://host", ca=__file__), [ask()])
