"""A real HTTP server on the loopback that answers as a test wants it to, and a tokenizer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from openhearth.data import Tokenizer
from openhearth.inference.remote.lane import RemoteLane
from openhearth.inference.remote.peer import Peer
from openhearth.inference.remote.relay import Relay
from openhearth.inference.request import Request, Sampling
from openhearth.inference.sequence import Sequence
from openhearth.inference.text import TextStream
from tests.conftest import write_tokenizer

Answer = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


@dataclass
class Stranger:
    """The server: its models, what it answers to completions, and what it was asked."""

    url: str = ""
    models: Any = field(default_factory=lambda: {"data": [{"id": "there", "owned_by": "vllm"}]})
    answer: Answer = lambda handler, body: say(handler, "Hi", end=True)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def begin(handler: BaseHTTPRequestHandler, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def chunk(text: str = "", **fields: Any) -> bytes:
    """An event of a completion."""
    usage = fields.pop("usage", None)
    choice = {"index": 0, "text": text, "finish_reason": None} | fields
    return b"data: " + json.dumps({"choices": [choice], "usage": usage}).encode() + b"\n\n"


def say(handler: BaseHTTPRequestHandler, *texts: str, end: bool) -> None:
    """Texts as a stream; without an `end` it breaks off after them."""
    begin(handler)
    for text in texts:
        handler.wfile.write(chunk(text))
    if end:
        usage = {"prompt_tokens": 3, "completion_tokens": len(texts)}
        handler.wfile.write(chunk(finish_reason="stop", usage=usage) + b"data: [DONE]\n\n")


def fail(handler: BaseHTTPRequestHandler, status: int, content: Any) -> None:
    begin(handler, status)
    handler.wfile.write(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    known = Stranger()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.headers.append(dict(self.headers))
            if callable(known.models):
                known.models(self)
            else:
                fail(self, 200, known.models)

        def do_POST(self) -> None:
            known.headers.append(dict(self.headers))
            known.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                known.answer(self, known.asked[-1])

        def log_message(self, *words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        known.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield known
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(directory)
    return Tokenizer.load(Path(directory))


@dataclass
class Client:
    """A relay to the server, and a lane of its first model."""

    peer: Peer
    lane: RemoteLane
    relay: Relay
    tokenizer: Tokenizer

    def ask(self, text: str = "The quick fox", **fields: Any) -> Sequence:
        """Submit a request; sampling parameters and fields of `Request` alike."""
        others = {k: fields.pop(k) for k in ("priority", "tenant", "deadline") if k in fields}
        prompt = self.tokenizer.encode(text)
        request = Request("here", prompt, Sampling(**fields), **others)
        sequence = Sequence(request, None, 0, TextStream(self.tokenizer, prompt, ()))
        self.lane.prepare(sequence)
        self.relay.submit(self.lane, sequence)
        return sequence

    def text(self, **fields: Any) -> str:
        return "".join(delta.text for delta in self.ask(**fields).stream)


@pytest.fixture
def client(stranger: Stranger, tokenizer: Tokenizer) -> Iterator[Client]:
    peer = Peer(stranger.url, "secret-key", silence=5)
    lane = RemoteLane(peer, peer.models()[0], tokenizer)
    relay = Relay(peer, 2, lambda: None)
    yield Client(peer, lane, relay, tokenizer)
    relay.close()
