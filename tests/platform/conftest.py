"""A small deterministic engine that streams as the real one does, and a real server before it."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, create_engine, make_url, text

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference.request import (
    BadAdapter,
    BadConstraint,
    ContextTooLong,
    Delta,
    EngineBusy,
    ModelCard,
    Request,
    TokenLogprob,
    Usage,
)
from openhearth.models import pull
from openhearth.platform import Keys, create_app
from openhearth.platform.accounts import passwords
from openhearth.platform.caller import CREDIT, Caller
from openhearth.platform.database import Database
from openhearth.platform.embedding import EmbeddingCard
from openhearth.platform.embedding.encoders import normalised
from openhearth.platform.gateway import opened
from openhearth.platform.metering.ledger_meter import LedgerMeter
from openhearth.store import Store

CONTEXT = 2000
SPEECH = "Grüße 🔥 an alle, die hier wärmen. " * 200
CALL = """Sure.<tool_call>
{"name": "weather", "arguments": {"city": "Zürich"}}
</tool_call>
<tool_call>{"name": "now", "arguments": {}}</tool_call>"""


THOUGHT = "They want the weather. "
WORDS = {"calls": CALL, "thinks": f"<think>{THOUGHT}</think>\n\n{CALL}"}


class ByteTokenizer:
    """Every byte of UTF-8 is a token, so that characters are split across tokens."""

    def __init__(self, teaches: str = "<tool_call>") -> None:
        self.chat_template = f"a template that teaches {teaches}"

    def marker(self, text: str) -> None:
        return None

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i % 256 for i in ids).decode(errors="replace")

    def chat(
        self,
        messages: list[dict[str, Any]],
        add_generation_prompt: bool = True,
        tools: list[dict[str, Any]] | None = None,
        variables: dict[str, Any] | None = None,
    ) -> str:
        turns = f"{variables}\n" if variables else ""
        turns += f"<tools>{[tool['function']['name'] for tool in tools]}\n" if tools else ""
        for turn in messages:
            calls = [call["function"] for call in turn.get("tool_calls", [])]
            turns += f"<{turn['role']}>{turn['content']}{calls or ''}\n"
        return turns + ("<assistant>" if add_generation_prompt else "")


@dataclass
class FakeStream:
    """Says SPEECH byte by byte, from a place that the seed chooses; those of WORDS say theirs."""

    request: Request
    pace: float = 0.0
    fails: Exception | None = None
    steps: int = 0
    cancelled: bool = False
    loading: float = 0.0

    async def begun(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[Delta]:
        for delta in self:
            await asyncio.sleep(self.pace)
            if self.fails and self.steps > 2:
                raise self.fails
            yield delta

    def __iter__(self) -> Iterator[Delta]:
        sampling = self.request.sampling
        start = (sampling.seed or 0) % 100
        decoder = codecs.getincrementaldecoder("utf-8")()
        held = ""
        calls = self.request.model in WORDS
        speech = WORDS.get(self.request.model, SPEECH[start:])
        tokens = speech.encode()
        for token in tokens[: sampling.max_tokens]:
            if self.cancelled:
                yield Delta(finish_reason="cancelled", usage=self._usage())
                return
            self.steps += 1
            held += decoder.decode(bytes([token]))
            stop = next((s for s in sampling.stop if s in held), None)
            if stop is not None:
                text = held[: held.index(stop)]
                yield self._delta(text, token, "stop")
                return
            text, held = self._release(held)
            yield self._delta(text, token, None)
        reason = "stop" if calls and len(tokens) <= sampling.max_tokens else "length"
        yield Delta(text=held, finish_reason=reason, usage=self._usage())

    def _release(self, held: str) -> tuple[str, str]:
        """Split off the end that may become a stop string."""
        for stop in self.request.sampling.stop:
            for size in range(len(stop) - 1, 0, -1):
                if held.endswith(stop[:size]):
                    return held[:-size], held[-size:]
        return held, ""

    def _delta(self, text: str, token: int, reason: str | None) -> Delta:
        logprobs: tuple[TokenLogprob, ...] = ()
        if self.request.sampling.logprobs is not None:
            top = [(token, chr(token), -0.25), (0, "\0", float("-inf")), (1, "\1", -9.0)]
            best = tuple(top[: self.request.sampling.logprobs])
            logprobs = (TokenLogprob(token, ByteTokenizer().decode([token]), -0.25, best),)
        return Delta(text, (token,), logprobs, reason, self._usage() if reason else None)

    def _usage(self) -> Usage:
        return Usage(len(self.request.prompt), self.steps)


@dataclass
class FakeEngine:
    """`tiny` and its adapter answer; the other models fail, each in its own way."""

    streams: list[FakeStream] = field(default_factory=list)
    closed: bool = False
    room: int = 1000  # generations that the queue still takes

    def models(self) -> list[ModelCard]:
        return [
            ModelCard("tiny", "ab" * 32, CONTEXT, license=("Apache-2.0",), created=1_700_000_000),
            ModelCard("me/tiny:2", "cd" * 32, CONTEXT, base="tiny"),
        ]

    def tokenizer(self, model: str) -> ByteTokenizer:
        if model not in ("tiny", "me/tiny:2", "slow", "breaks", "bug", *WORDS):
            raise NotFound(f"The model {model!r} is not served here.")
        return ByteTokenizer("<tool_call> <think></think>" if model == "thinks" else "<tool_call>")

    def is_slow_to_submit(self, request: Request) -> bool:
        return request.sampling.constraint is not None

    def submit(self, request: Request) -> FakeStream:
        constraint = request.sampling.constraint
        if constraint is not None and "impossible" in constraint.value:
            raise BadConstraint("It cannot be followed.")
        if request.model == "me/tiny:2" and "damaged" in ByteTokenizer().decode(request.prompt):
            raise BadAdapter("It is damaged.")
        if self.closed or self.room == 0:
            raise EngineBusy("The queue is full: try again in a moment.")
        if len(request.prompt) > CONTEXT:
            raise ContextTooLong(f"{len(request.prompt)} tokens, but the context is {CONTEXT}.")
        self.room -= 1
        failure = {"breaks": HearthError("The disk failed."), "bug": KeyError("secret detail")}
        stream = FakeStream(
            request,
            pace=0.005 if request.model == "slow" else 0.0,
            fails=failure.get(request.model),
        )
        self.streams.append(stream)
        return stream

    def close(self) -> None:
        self.closed = True
        for stream in self.streams:
            stream.cancel()


class FakeEmbedder:
    """`vectors` counts letters, spaces and all else of the bytes that are its tokens; beginnings of
    its vectors are vectors too.
    """

    def models(self) -> list[EmbeddingCard]:
        return [EmbeddingCard("vectors", width=3, context_length=50, shortest=2, digest="ef" * 32)]

    def tokens(self, model: str, text: str) -> list[int]:
        return [1, *text.encode(), 2]

    def embed(self, model: str, texts: Sequence[Sequence[int]]) -> np.ndarray:
        if any(token > 255 for text in texts for token in text):
            raise UsageError("A token is unknown.")
        kinds = [[self._kind(token) for token in text] for text in texts]
        counts = [[kind.count(i) for i in range(3)] for kind in kinds]
        return normalised(np.array(counts, np.float32).reshape(-1, 3))

    def _kind(self, token: int) -> int:
        return 0 if chr(token).isalpha() else 1 if token == 32 else 2


@dataclass
class Server:
    """Where the server is, what it is made of, and a key to it."""

    url: str
    key: str
    engine: FakeEngine
    keys: Keys


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database of a PostgreSQL that ends with the session.

    It has another user, who must be let in: pytest closes its own directory to others each time
    that it starts anywhere.
    """
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pgserver

        server = pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A new database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'platform.db'}"
    else:
        url = new_database(request.getfixturevalue("postgres"))
    with contextlib.closing(Database.open(url)) as made:
        yield made


def waits_for_the_disk(connection: Connection) -> bool:
    """Whether the commit of this transaction does."""
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
    return connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def new_database(url: str) -> str:
    """The URL of an empty database on the server of another."""
    server = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    name = f"test_{uuid.uuid4().hex}"
    with server.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@dataclass(frozen=True)
class ByKey:
    """An authority for whom each key is a project, which has the key's name."""

    keys: Keys

    def is_slow_to_check(self, presented: str) -> bool:
        return False

    def check(self, presented: str) -> Caller | None:
        caller = self.keys.check(presented)
        return caller and replace(caller, project=caller.key)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.open(tmp_path)


@pytest.fixture
def http(engine: FakeEngine, keys: Keys) -> Iterator[TestClient]:
    """The application without sockets, called with a good key."""
    headers = {"authorization": f"Bearer {keys.create('test')}"}
    app = create_app(engine, keys)
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Database]:
    """A new SQLite database, for tests that are not about databases."""
    with contextlib.closing(Database.open(tmp_path / "platform.db")) as made:
        yield made


@pytest.fixture
def whole(engine: FakeEngine, keys: Keys, kept: Database) -> Iterator[TestClient]:
    """The application with all that there is, called with a good key of the project `test`."""
    headers = {"authorization": f"Bearer {keys.create('test')}"}
    app = create_app(engine, ByKey(keys), kept, embedder=FakeEmbedder())
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def everything(
    engine: FakeEngine,
    kept: Database,
    tmp_path: Path,
    tiny_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TestClient]:
    """The application as `hearth up` has it, called by the owner; `tiny` is in its store too."""
    monkeypatch.setattr(passwords, "N", 2**4)
    store = Store(tmp_path / "home")
    pull(store, str(tiny_directory), name="tiny")
    with opened(kept, store, 25 * CREDIT) as services:
        app = create_app(
            engine,
            services.accounts,
            kept,
            meter=LedgerMeter(services.ledger),
            services=services,
            embedder=FakeEmbedder(),
        )
        headers = {"authorization": f"Bearer {services.accounts.first_start()}"}
        with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
            yield client


@pytest.fixture
def server(engine: FakeEngine, keys: Keys) -> Iterator[Server]:
    """A real server before the engine alone."""
    with running(create_app(engine, keys)) as url:
        yield Server(url, keys.create("test"), engine, keys)


@pytest.fixture
def platform(engine: FakeEngine, keys: Keys, kept: Database) -> Iterator[Server]:
    """A real server with all that there is."""
    with running(create_app(engine, ByKey(keys), kept, embedder=FakeEmbedder())) as url:
        yield Server(url, keys.create("test"), engine, keys)


@contextlib.contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The URL of a real server of an application, which ends with the block."""
    config = uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="off")
    running = uvicorn.Server(config)
    listening = threading.Event()
    startup = running.startup

    async def start_and_tell(sockets: list | None = None) -> None:
        await startup(sockets)
        listening.set()

    running.startup = start_and_tell
    thread = threading.Thread(target=running.run)
    thread.start()
    assert listening.wait(10)
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(10)
    assert not thread.is_alive()
