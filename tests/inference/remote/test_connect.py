"""An engine whose model is computed elsewhere: how it comes to be, and what it then says."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference import Engine
from openhearth.inference.remote.connect import LONGEST
from openhearth.store import Store
from tests.inference.remote.conftest import Stranger


def connect(home: Path, stranger: Stranger, model: str = "tiny", name: str = "") -> Engine:
    remote = stranger.url + (name and f"#{name}")
    return Engine(model, store=Store(home), executor="remote", remote=remote)


def listing(*ids: str, **fields: Any) -> dict[str, Any]:
    return {"data": [{"id": one} | fields for one in ids]}


@pytest.mark.parametrize(
    ("there", "name", "asked"),
    [
        (["something"], "", "something"),
        (["other", "tiny"], "", "tiny"),
        (["tiny", "other"], "other", "other"),
    ],
)
def test_which_model_is_meant(
    tiny_model_home: Path, stranger: Stranger, there: list[str], name: str, asked: str
) -> None:
    stranger.models = listing(*there)
    with connect(tiny_model_home, stranger, name=name) as engine:
        assert [card.name for card in engine.models()] == ["tiny"]
        assert engine.generate("Hello").text == "Hi"
    assert stranger.asked[0]["model"] == asked


@pytest.mark.parametrize(("there", "name"), [(["a", "b"], ""), (["a"], "b"), ([], "")])
def test_a_model_that_is_not_there_is_told(
    tiny_model_home: Path, stranger: Stranger, there: list[str], name: str
) -> None:
    stranger.models = listing(*there)
    with pytest.raises(NotFound, match="behind the URL"):
        connect(tiny_model_home, stranger, name=name)


def test_a_directory_gives_its_tokenizer_and_nothing_else(
    tiny_directory: Path, stranger: Stranger, tmp_path: Path
) -> None:
    with connect(tmp_path, stranger, str(tiny_directory)) as engine:
        (card,) = engine.models()
        assert engine.generate([{"role": "user", "content": "Hello"}]).text == "Hi"
        prompt = engine.tokenizer(card.name).decode(stranger.asked[0]["prompt"])
        assert "user\nHello" in prompt
    assert set(Store(tmp_path).get(card.digest).manifest.files) == {
        "tokenizer.json",
        "tokenizer_config.json",
    }


@pytest.mark.parametrize(
    ("told", "length"), [({"max_model_len": 100}, 100), ({"context_length": 90}, 90), ({}, 512)]
)
def test_the_context_is_what_the_server_says_or_else_the_models(
    tiny_model_home: Path, stranger: Stranger, told: dict[str, int], length: int
) -> None:
    stranger.models = listing("x", **told)
    with connect(tiny_model_home, stranger) as engine:
        assert engine.models()[0].context_length == length
        with pytest.raises(UsageError, match=f"holds {length}"):
            engine.generate([5] * length)
        with pytest.raises(UsageError, match="outside the vocabulary"):
            engine.generate([10**6])
        with pytest.raises(UsageError, match="empty"):
            engine.generate("")
    assert stranger.asked == []


def test_a_context_that_nobody_says(
    tiny_directory: Path, stranger: Stranger, tmp_path: Path
) -> None:
    with connect(tmp_path, stranger, str(tiny_directory)) as engine:
        assert engine.models()[0].context_length == LONGEST


def test_logits_are_refused(tiny_model_home: Path, stranger: Stranger) -> None:
    with (
        connect(tiny_model_home, stranger) as engine,
        pytest.raises(UsageError, match="elsewhere"),
    ):
        engine.logits([1, 2])


def test_what_cannot_be_served_so(tiny_model_home: Path, stranger: Stranger) -> None:
    with pytest.raises(UsageError, match="adapter"):
        connect(tiny_model_home, stranger, "tiny-adapter")
    store = Store(tiny_model_home)
    with pytest.raises(UsageError, match="one model"):
        Engine("tiny", "tiny-adapter", store=store, executor="remote", remote=stranger.url)


def test_a_command_gets_the_model_and_ends_with_the_engine(
    tiny_directory: Path, tmp_path: Path
) -> None:
    code = (
        "import http.server as h, json, sys\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "        self.wfile.write(json.dumps({'data': [{'id': sys.argv[1]}]}).encode())\n"
        "    def do_POST(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "        choice = {'text': sys.argv[1], 'finish_reason': 'stop'}\n"
        "        self.wfile.write(b'data: %s\\n\\n' % json.dumps({'choices': [choice]}).encode())\n"
        "h.HTTPServer(('127.0.0.1', int(sys.argv[2])), H).serve_forever()\n"
    )
    (tmp_path / "server.py").write_text(code)
    command = f"{sys.executable} {tmp_path / 'server.py'} {{model}} {{port}}"
    before = threading.active_count()
    model, store = str(tiny_directory), Store(tmp_path / "home")
    with Engine(model, store=store, executor="remote", remote=command) as engine:
        assert engine.generate("Hello").text == model
    assert threading.active_count() == before


def test_a_command_that_fails_leaves_nothing(tiny_model_home: Path) -> None:
    before = threading.active_count()
    settings = {"executor": "remote", "remote": f"{sys.executable} -c pass {{port}}"}
    with pytest.raises(HearthError, match="ended"):
        Engine("tiny", store=Store(tiny_model_home), **settings)
    assert threading.active_count() == before
