"""A store, files by id, and a server that hears what the official clients send."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
import together
import zstandard

from openhearth.models import pull
from openhearth.platform.finetuning import Asked, limits_of
from openhearth.store import Artifact, Store
from openhearth.training import TrainRecipe, carry_out

PRICE = {
    "estimation_available": True,
    "allowed_to_proceed": True,
    "estimated_total_price": 0.0,
    "estimated_train_token_count": 0,
    "estimated_eval_token_count": 0,
    "user_limit": 0.0,
}


@dataclass
class Heard:
    """A server's address, and the last body that would start a job."""

    url: str = ""
    body: dict[str, Any] = field(default_factory=dict)


def handler(heard: Heard, limits: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(limits)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.endswith("estimate-price"):
                self._reply(PRICE)
            else:
                heard.body = body
                self._reply({"id": "ft-1"})

        def log_message(self, *arguments: Any) -> None:
            pass

        def _reply(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


@pytest.fixture
def store(tmp_path: Path, tiny_directory: Path) -> Store:
    store = Store(tmp_path / "home")
    pull(store, str(tiny_directory), name="tiny")
    return store


@pytest.fixture
def heard(store: Store) -> Iterator[Heard]:
    found = Heard()
    limits = limits_of("tiny", store.get("tiny")).model_dump()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found, limits))
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tog(heard: Heard) -> Iterator[together.Together]:
    with together.Together(base_url=heard.url, api_key="key", max_retries=0) as client:
        yield client


@pytest.fixture
def oai(heard: Heard) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{heard.url}/v1", api_key="key", max_retries=0) as client:
        yield client


def question(number: int) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": f"number {number}?"},
            {"role": "assistant", "content": f"The number is {number}."},
        ]
    }


def preference(number: int) -> dict[str, Any]:
    return {
        "input": {"messages": [{"role": "user", "content": f"number {number}?"}]},
        "preferred_output": [{"role": "assistant", "content": f"It is {number}, sir."}],
        "non_preferred_output": [{"role": "assistant", "content": f"{number}!"}],
    }


FILES: dict[str, list[Any]] = {
    "questions": [question(number) for number in range(20)],
    "held": [question(number) for number in range(20, 26)],
    "preferences": [preference(number) for number in range(20)],
    "texts": [{"text": f"The number is {number}. " * 3} for number in range(20)],
    "long": [{"prompt": "number ", "completion": "one two " * 60}] * 20,
}


@pytest.fixture
def asked(store: Store, tmp_path: Path) -> Asked:
    """What a route would know."""

    def file(name: str) -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in FILES[name]))
        return path

    def version(name: str) -> str:
        job, _, step = name.partition(":")
        assert job == "ft-1"
        return f"me/tiny-tuned:1-step-{step}" if step else "me/tiny-tuned:1"

    return Asked(store, "me", file, lambda name: len(FILES[name]), version)


def trained(asked: Asked, recipe: TrainRecipe) -> Artifact:
    """The recipe carried out, in the dtype that is the same everywhere."""
    return carry_out(asked.store, recipe.model_copy(update={"dtype": "float32"}))


def steps(artifact: Artifact, name: str = "rate") -> list[float]:
    """A number of each step."""
    return [step[name] for step in artifact.read_json("history.json")]


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a download."""
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
