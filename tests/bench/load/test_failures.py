"""Every way in which a request can end badly, over real sockets (rule 28)."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from openhearth.bench.load import carry_out, pool
from openhearth.bench.records import Failure, Record
from openhearth.bench.stub import Fault, Truth, log_of, stub
from openhearth.processes import free_port
from tests.bench.load.conftest import SILENT_S, Certificate, ask, saying, target
from tests.waiting import until

FAULTS: dict[Fault, tuple[Failure, str]] = {
    "hang_up": (Failure.CONNECTION, "closed the connection"),
    "die": (Failure.CUT, "broke off"),
    "stop": (Failure.CUT, "before the answer was over"),
    "silence": (Failure.TIMEOUT, "no byte for 0.4 s"),
    "stall": (Failure.TIMEOUT, "in the middle of the answer"),
    "no_http": (Failure.MALFORMED, "not HTTP"),
    "html": (Failure.MALFORMED, "<!doctype html>"),
    "broken_event": (Failure.MALFORMED, "not JSON"),
    "error_event": (Failure.ERROR_EVENT, "out of luck"),
    "whole": (Failure.NOT_STREAMING, "one piece"),
    "empty": (Failure.EMPTY, "no content"),
    "endless": (Failure.TOO_LARGE, "64 MiB"),
    "key": (Failure.KEY, "401; this key is not known"),
    "rate_limit": (Failure.RATE_LIMIT, "retry-after: 1; too many"),
    "refused": (Failure.REFUSED, "status 400"),
    "server": (Failure.SERVER, "something broke"),
    "redirect": (Failure.REDIRECT, "location: http://127.0.0.1:1/"),
}


def one(url: str, **options: object) -> Record:
    (record,) = carry_out(target(url, **options), [ask()], timeout_s=SILENT_S).records
    return record


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
def test_each_fault_of_a_server_is_told_by_its_name(
    fault: Fault, expected: tuple[Failure, str]
) -> None:
    failure, detail = expected
    with stub(Truth(canned=8, faults={fault: 1})) as url:
        record = one(url)
    assert record.failure is failure
    assert detail in record.detail
    assert record.ended is not None
    if failure in (Failure.CUT, Failure.ERROR_EVENT) or fault in ("stall", "broken_event"):
        assert record.text.startswith(" ba")  # what came before is kept


def test_nobody_listens_or_the_name_is_not_known() -> None:
    record = one(f"http://127.0.0.1:{free_port()}")
    assert record.failure is Failure.ADDRESS
    assert "nobody listens" in record.detail
    record = one("http://no-such-host.invalid")
    assert record.failure is Failure.ADDRESS
    assert "not known" in record.detail


def test_a_certificate_must_be_known(certificate: Certificate) -> None:
    truth = Truth(canned=8, certificate=certificate.certificate, private_key=certificate.key)
    with stub(truth) as url:
        unknown, known = one(url), one(url, ca=certificate.certificate)
        wrong_name = one(url.replace("127.0.0.1", "localhost"), ca=certificate.certificate)
    assert unknown.failure is wrong_name.failure is Failure.CERTIFICATE
    assert "self" in unknown.detail
    assert "localhost" in wrong_name.detail
    assert known.failure is None
    assert known.connect_s is not None


def test_a_server_that_closes_after_each_answer_without_saying_so_is_asked_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As llama.cpp's does; whoever asks at once would ask on a connection that is about to end."""
    monkeypatch.setattr(pool, "RESTED_S", 1)  # a busy machine lets more pass than it should
    asks = [ask(number) for number in range(20)]
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(STREAM), STREAM)
    with saying(answer, requests=len(asks), closes_after=0.005) as url:
        records = carry_out(target(url), asks, callers=1, timeout_s=SILENT_S).records
    assert [record.failure for record in records] == [None] * len(asks)


def test_tls_is_not_spoken_everywhere() -> None:
    with saying(b"HTTP/1.1 400 -\r\n\r\n") as url:
        record = one(url.replace("http://", "https://"))
    assert record.failure is Failure.CONNECTION
    assert "TLS" in record.detail


def test_a_server_that_takes_no_connections_is_silent() -> None:
    """Its backlog is full, so the kernel leaves handshakes unanswered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            record = one(f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert record.failure is Failure.TIMEOUT
    assert "at connecting" in record.detail


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Failure.EMPTY),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Failure.MALFORMED),
        (b"HTTP/1.1 200 O", Failure.CONNECTION),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ndata: {}\n\n", Failure.CUT),
        (b"HTTP/1.1 403 -\r\ncontent-length: 2\r\n\r\nno", Failure.KEY),
        (b"HTTP/1.1 404 -\r\ncontent-length: 0\r\n\r\n", Failure.REFUSED),
        (b"\0\r\n\r\n", Failure.MALFORMED),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", Failure.MALFORMED),
    ],
)
def test_other_ways_to_end(said: bytes, failure: Failure) -> None:
    with saying(said) as url:
        assert one(url).failure is failure


STREAM = b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + STREAM,  # ends with the connection, and without [DONE]
        b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + STREAM,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + STREAM,
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%srubbish" % (len(STREAM), STREAM),
        b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n" + STREAM + b"data: [DONE]\n\n",
    ],
)
def test_what_is_whole_is_no_failure(said: bytes) -> None:
    with saying(said) as url:
        record = one(url)
    assert record.failure is None, record.detail
    assert record.text == "x"


def test_a_key_that_a_server_repeats_is_not_in_a_record() -> None:
    with stub(Truth(canned=8, key="right")) as url:
        record = one(url, key="sk-very-secret")
        assert one(url, key="right").failure is None
    assert record.failure is Failure.KEY
    assert "the key … is not known" in record.detail
    assert "secret" not in repr(target(url, key="sk-very-secret"))


def test_a_request_is_never_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server closes a connection that it had kept open, just when the next request comes."""
    monkeypatch.setattr(pool, "RESTED_S", 0)
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(STREAM), STREAM)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came: list[bytes] = []

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                came.append(connection.recv(2**16))
                connection.sendall(whole)
                came.append(connection.recv(2**16))

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        first, second = carry_out(target(url), [ask(0), ask(1)], callers=1).records
        thread.join()
    assert first.failure is None
    assert second.failure is Failure.CONNECTION
    assert second.connect_s is None
    assert len(came) == 2
    assert all(b"POST" in one for one in came)


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_breaks_off_and_every_request_has_a_record(processes: int) -> None:
    """Four stay without an answer until the signal comes, two are never sent."""
    asks = [ask(n) for n in range(4)] + [ask(4, at=1000.0), ask(5, at=1000.0)]
    with stub(Truth(canned=4, faults={"silence": 1})) as url:

        def interrupt() -> None:
            until(lambda: len(log_of(url)) == 4)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        sent = carry_out(target(url), asks, processes=processes)
        thread.join()
    assert sent.interrupted
    assert [record.number for record in sent.records] == list(range(6))
    assert {record.failure for record in sent.records} == {Failure.BROKEN_OFF}
    assert [record.sent is not None for record in sent.records] == [True] * 4 + [False] * 2
