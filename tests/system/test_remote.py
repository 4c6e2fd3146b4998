"""A model that another `hearth serve` computes: the same answers, and what happens when it fails.

The other server is a real process, which is killed, stopped and started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import HearthError, NotFound
from openhearth.inference import Engine
from openhearth.inference.remote.peer import KEY
from openhearth.inference.request import EngineBusy
from openhearth.store import Store
from tests.system.conftest import STARTING_SECONDS, free_port, hearth

API_KEY = "a-key-of-the-other-server"
PROMPTS = ["The quick brown", "def add(a, b)"]
NO_END = {2: -100, 4: -100}  # the tokens that end an answer
LONG = {"max_tokens": 400, "logit_bias": NO_END, "seed": 1}


class Upstream:
    """The other server; it keeps its port when it is started again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "openhearth.cli", "--home", str(self._home), "serve"]
        command += ["tiny", "--dtype", "float32", "--threads", "1", "--port", str(self._port)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OPENHEARTH_API_KEY": API_KEY},
        )
        starting = threading.Timer(STARTING_SECONDS, self.process.kill)
        starting.start()
        assert self.process.stdout
        assert "Serving" in self.process.stdout.readline()
        starting.cancel()

    def kill(self) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture(scope="module")
def upstream(tiny_model_home: Path) -> Iterator[Upstream]:
    server = Upstream(tiny_model_home)
    yield server
    server.kill()


@pytest.fixture
def remote(
    tiny_model_home: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    monkeypatch.setenv(KEY, API_KEY)
    store = Store(tiny_model_home)
    with Engine("tiny", store=store, executor="remote", remote=upstream.url) as engine:
        yield engine


@pytest.fixture(scope="module")
def local(tiny_model_home: Path) -> Iterator[Engine]:
    store = Store(tiny_model_home)
    with Engine("tiny", store=store, dtype="float32", threads=1) as engine:
        yield engine


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0.0},
        {"seed": 3, "top_k": 40, "min_p": 0.01, "presence_penalty": 0.5},
        {"seed": 4, "repetition_penalty": 1.3, "logit_bias": {11: 2.0}, "stop": ["e", "\n"]},
        {"seed": 5, "logit_bias": NO_END | {3: 9.0}, "skip_special_tokens": False},
    ],
)
def test_the_answers_are_those_of_the_model_here(
    local: Engine, remote: Engine, sampling: dict[str, Any]
) -> None:
    for prompt in PROMPTS:
        here, there = (e.generate(prompt, max_tokens=24, **sampling) for e in (local, remote))
        assert (there.text, there.tokens, there.finish_reason) == (
            here.text,
            here.tokens,
            here.finish_reason,
        )
        assert here.usage
        assert there.usage
        assert there.usage.prompt_tokens == here.usage.prompt_tokens
        assert there.usage.completion_tokens == here.usage.completion_tokens


def test_log_probabilities_come_along(local: Engine, remote: Engine) -> None:
    here, there = (
        engine.generate(PROMPTS[0], max_tokens=12, temperature=0, logprobs=3)
        for engine in (local, remote)
    )
    assert [one.id for one in there.logprobs] == here.tokens
    assert [one.text for one in there.logprobs] == [one.text for one in here.logprobs]
    assert [o.logprob for o in there.logprobs] == pytest.approx([o.logprob for o in here.logprobs])
    assert all(one.top[0][2] == one.logprob for one in there.logprobs)


def test_what_is_cached_there_is_told(remote: Engine) -> None:
    prompt = list(range(20, 120))
    first, second = (remote.generate(prompt, max_tokens=2) for _ in range(2))
    assert first.usage
    assert second.usage
    assert (first.usage.cached_tokens, second.usage.cached_tokens) == (0, 96)


def test_many_at_once(remote: Engine, local: Engine) -> None:
    def ask(number: int) -> list[int]:
        answer = remote.generate([20 + number, 30, 40], max_tokens=8, temperature=0)
        return answer.tokens

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(ask, range(20)))
    assert found[7] == local.generate([27, 30, 40], max_tokens=8, temperature=0).tokens
    assert len({tuple(tokens) for tokens in found}) > 10


def test_a_wrong_model_and_a_wrong_key_are_told_before_anything_is_served(
    tiny_model_home: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settings = Store(tiny_model_home), {"executor": "remote"}
    monkeypatch.setenv(KEY, "another-key-of-nobody")
    with pytest.raises(HearthError, match=KEY):
        Engine("tiny", store=store, remote=upstream.url, **settings)
    monkeypatch.setenv(KEY, API_KEY)
    with pytest.raises(NotFound, match="'nothing', but tiny"):
        Engine("tiny", store=store, remote=f"{upstream.url}#nothing", **settings)


def test_the_command_line_takes_its_key_from_the_environment(
    tiny_model_home: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, API_KEY)
    ask = ("run", "tiny", "Hello", "--max-tokens", "4", "--executor", "remote", "--remote")
    done = hearth(tiny_model_home, "--json", *ask, upstream.url)
    assert json.loads(done.stdout)["finish_reason"] in ("stop", "length")
    assert API_KEY not in done.stdout + done.stderr


def test_cancelling_frees_what_computes_there(remote: Engine) -> None:
    for _ in range(70):  # more than one key may have under way
        stream = remote.stream(PROMPTS[0], **LONG)
        next(stream)
        stream.cancel()
        assert list(stream)[-1].finish_reason == "cancelled"
    assert remote.generate(PROMPTS[0], max_tokens=2).usage


def test_a_server_that_stands_still_holds_up_no_one_who_leaves(
    remote: Engine, upstream: Upstream
) -> None:
    leaving, staying = (remote.stream(PROMPTS[0], **LONG) for _ in range(2))
    next(leaving)
    upstream.process.send_signal(signal.SIGSTOP)
    try:
        leaving.cancel()
        assert list(leaving)[-1].finish_reason == "cancelled"
    finally:
        upstream.process.send_signal(signal.SIGCONT)
    assert list(staying)[-1].finish_reason == "length"


def test_a_server_that_is_killed_ends_what_it_computed_and_is_found_again(
    remote: Engine, upstream: Upstream
) -> None:
    streams = [remote.stream(prompt, **LONG) for prompt in PROMPTS]
    for stream in streams:
        next(stream)
    upstream.kill()
    for stream in streams:
        with pytest.raises(HearthError, match=r"broke off|stopped in the middle"):
            list(stream)
    with pytest.raises(EngineBusy, match="cannot be reached"):
        remote.generate(PROMPTS[0], max_tokens=2)
    upstream.start()
    again = remote.generate(PROMPTS[0], **LONG | {"max_tokens": 2})
    assert again.finish_reason == "length"


def test_served_on_it_reaches_unmodified_clients(
    tiny_model_home: Path, upstream: Upstream, tmp_path: Path
) -> None:
    """`hearth serve` before `hearth serve`, the second of them its child."""
    from openai import OpenAI

    port = free_port()
    command = (
        f"{sys.executable} -m openhearth.cli --home {tiny_model_home} serve tiny --port {{port}}"
    )
    front = [
        sys.executable,
        "-m",
        "openhearth.cli",
        "--home",
        str(tiny_model_home),
        "serve",
        "tiny",
    ]
    front += ["--executor", "remote", "--remote", command, "--port", str(port)]
    environment = os.environ | {"OPENHEARTH_API_KEY": "a-key-of-the-front-server"}
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(front, stdout=subprocess.PIPE, stderr=output, env=environment) as process,
    ):
        try:
            assert process.stdout
            assert b"Serving tiny" in process.stdout.readline(), log.read_text()
            url = f"http://127.0.0.1:{port}/v1"
            with OpenAI(base_url=url, api_key="a-key-of-the-front-server") as client:
                messages: Any = [{"role": "user", "content": "Hello"}]
                stream = client.chat.completions.create(
                    model="tiny", messages=messages, max_tokens=8, stream=True
                )
                reasons = [chunk.choices[0].finish_reason for chunk in stream if chunk.choices]
            assert reasons[-1] in ("stop", "length")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    assert "Traceback" not in log.read_text()
