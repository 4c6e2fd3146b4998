"""`hearth up`, driven by the unmodified official clients, while its processes are killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import together

from openhearth.models import pull
from openhearth.platform.caller import CREDIT
from openhearth.store import Store
from tests.conftest import write_model
from tests.system.up import Platform, copy_of, environment, hearth, running, start
from tests.waiting import until

pytestmark = pytest.mark.system

# Greedy, so that the same question has the same answer however it is asked.
ASK: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Say something about fire."}],
    "max_tokens": 24,
    "temperature": 0,
}
# With strict validation: the client's own default is base64, which its types do not know.
EMBED: dict[str, Any] = {
    "model": "vectors",
    "input": ["fire", "hearth"],
    "encoding_format": "float",
}
LINE = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
NO_END = {"2": -100, "4": -100}  # the tokens that end an answer
OUTPUT = 40  # units for a token of an answer, by the prices that ship
PARTS = ("broker", "gateway", "node", "worker")


@pytest.fixture(scope="module")
def home(
    tiny_model_home: Path, encoder_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    copied = copy_of(tiny_model_home, tmp_path_factory.mktemp("up") / "home")
    pull(Store(copied), str(encoder_directory), name="vectors")
    directory = tmp_path_factory.mktemp("long")
    pull(Store(copied), str(write_model(directory, max_position_embeddings=16384)), name="long")
    return copied


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Platform]:
    with running(home) as platform:
        yield platform


@pytest.fixture
def tog(server: Platform) -> Iterator[together.Together]:
    with together.Together(base_url=server.url, api_key=server.key, max_retries=0) as client:
        yield client


@pytest.fixture
def answer(oai: openai.OpenAI) -> str:
    text = oai.chat.completions.create(**ASK).choices[0].message.content
    assert text
    return text


def patient(platform: Platform, key: str | None = None) -> openai.OpenAI:
    """A client that tries again, as the official ones do."""
    return openai.OpenAI(
        base_url=f"{platform.url}/v1", api_key=key or platform.key, max_retries=8, timeout=60
    )


def get(platform: Platform, path: str) -> Any:
    headers = {"authorization": f"Bearer {platform.key}"}
    response = httpx.get(f"{platform.url}{path}", headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    return response.json()


def test_every_client_gets_the_same_answer(
    server: Platform, oai: openai.OpenAI, tog: together.Together, answer: str
) -> None:
    assert tog.chat.completions.create(**ASK).choices[0].message.content == answer
    for client in (oai, tog):
        chunks = client.chat.completions.create(**ASK, stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer

    async def ask() -> None:
        async with (
            openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key) as one,
            together.AsyncTogether(base_url=server.url, api_key=server.key) as other,
        ):
            for client in (one, other):
                whole = await client.chat.completions.create(**ASK)
                assert whole.choices[0].message.content == answer
                chunks = await client.chat.completions.create(**ASK, stream=True)
                parts = [c.choices[0].delta.content or "" async for c in chunks if c.choices]
                assert "".join(parts) == answer

    asyncio.run(ask())


def test_everything_else_is_served(oai: openai.OpenAI, tog: together.Together) -> None:
    assert {model.id for model in oai.models.list()} == {"long", "tiny", "tiny-adapter", "vectors"}
    endless: dict[str, Any] = {"max_tokens": 5, "logit_bias": NO_END}
    whole = oai.completions.create(model="tiny-adapter", prompt="def", **endless)
    assert whole.usage
    assert whole.usage.completion_tokens == 5
    vectors = oai.embeddings.create(**EMBED).data
    assert [len(vector.embedding) for vector in vectors] == [32, 32]
    assert tog.embeddings.create(model="vectors", input="fire").data
    greedy: dict[str, Any] = {"max_output_tokens": 16, "temperature": 0}
    assert oai.responses.create(model="tiny", input="fire", **greedy).output_text
    kept = oai.files.create(file=("a.jsonl", LINE), purpose="fine-tune")
    assert oai.files.content(kept.id).read() == LINE
    assert kept.id in {file.id for file in oai.files.list()}
    assert oai.files.delete(kept.id).deleted


def test_usage_agrees_with_the_ledger_to_the_unit(server: Platform, oai: openai.OpenAI) -> None:
    before = get(server, "/v1/billing/balance")["balance_units"]
    used = _reported(server)
    cost = 0
    for stream in (False, True):
        made = oai.chat.completions.create(**ASK, stream=stream)
        usage = [part.usage for part in (made if stream else [made]) if part.usage][-1]
        cost += usage.model_dump()["cost"]
    raw = oai.embeddings.with_raw_response.create(**EMBED)
    cost += int(raw.headers["x-openhearth-cost"])
    assert before - get(server, "/v1/billing/balance")["balance_units"] == cost > 0
    assert _reported(server) - used == cost
    (own,) = json.loads(hearth(server.home, "--json", "usage").stdout)["organisations"]
    assert sum(row["cost_units"] for row in own["usage"]) == _reported(server)
    assert own["held_units"] == 0


def _reported(platform: Platform) -> int:
    """What `/v1/billing/usage` says was used, in units."""
    days = get(platform, "/v1/billing/usage")["data"]
    return sum(int(Decimal(item["cost"]) * CREDIT) for day in days for item in day["line_items"])


def test_a_revoked_key_is_refused(server: Platform) -> None:
    made = json.loads(hearth(server.home, "--json", "keys", "create", "--name", "brief").stdout)

    def is_refused() -> bool:
        try:
            with patient(server, made["key"]) as client:
                client.models.list()
        except openai.AuthenticationError:
            return True
        return False

    assert not is_refused()
    assert hearth(server.home, "keys", "revoke", "brief").returncode == 0
    until(is_refused)


def test_commands_find_the_platform_of_their_home(server: Platform, tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_bytes(LINE)
    upload = hearth(server.home, "--json", "files", "upload", str(tmp_path / "lines.jsonl"))
    kept = json.loads(upload.stdout)["id"]
    assert kept in hearth(server.home, "files", "list").stdout
    assert hearth(server.home, "files", "delete", kept).returncode == 0
    assert hearth(server.home, "jobs", "list").stdout == "There are no jobs.\n"
    assert server.url in hearth(server.home, "status").stdout


def test_a_model_is_loaded_when_asked_for_and_leaves_when_nobody_asks(
    home: Path, tmp_path: Path
) -> None:
    with running(copy_of(home, tmp_path / "home"), "--idle", "0.5") as platform:
        assert platform.state()["models"] == []
        assert "No model is in memory." in hearth(platform.home, "status").stdout
        with patient(platform) as client:
            raw = client.chat.completions.with_raw_response.create(**ASK)
            assert re.fullmatch(r"load;dur=\d+\.\d", raw.headers["server-timing"])
            endless = ASK | {"model": "long", "max_tokens": 12_000, "logit_bias": NO_END}
            with client.chat.completions.create(**endless, stream=True) as chunks:
                next(iter(chunks))
                seconds = until(lambda: in_memory(platform).get("long"))
                assert seconds > 0
        until(lambda: not in_memory(platform))


def in_memory(platform: Platform) -> dict[str, float]:
    """The models that are there, and in how many seconds each was loaded."""
    return {one["model"]: one["load_seconds"] for one in platform.state()["models"]}


def test_a_second_one_says_who_runs_already(server: Platform) -> None:
    done = hearth(server.home, "up", "--port", "0")
    assert done.returncode == 1
    assert server.url in done.stderr
    assert str(server.process.pid) in done.stderr


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_comes_back(server: Platform, part: str, answer: str) -> None:
    server.kill(part)
    with patient(server) as client:
        assert client.chat.completions.create(**ASK).choices[0].message.content == answer
    assert server.state()["restarts"][part] >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds other processes")
def test_a_disk_that_is_full_for_a_while_ends_nothing(server: Platform) -> None:
    """No process may make its files longer, as on a full disk; it is not told by another error."""
    supervisor, before = server.process.pid, server.state()["processes"]["worker"]
    limits = resource.prlimit(supervisor, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    others = set(children.read_text().split()) - {str(before)}
    os.kill(before, signal.SIGKILL)
    # It starts another one, and cannot write down which.
    until(lambda: set(children.read_text().split()) - others - {str(before)})
    assert server.state()["processes"]["worker"] == before
    resource.prlimit(supervisor, resource.RLIMIT_FSIZE, limits)
    until(lambda: server.state()["processes"]["worker"] not in (None, before))
    server.kill("worker")  # for one that may write again
    assert server.process.poll() is None


def test_a_stream_whose_node_dies_ends_with_an_error_and_costs_what_came(server: Platform) -> None:
    before = get(server, "/v1/billing/balance")["balance_units"]
    node = server.state()["processes"]["node"]
    long = ASK | {"model": "long", "max_tokens": 12_000, "logit_bias": NO_END}
    with patient(server) as client:
        chunks = iter(client.chat.completions.create(**long, stream=True))
        next(chunks)
        os.kill(node, signal.SIGKILL)
        with pytest.raises(openai.APIError, match="node"):
            list(chunks)
    until(lambda: get(server, "/v1/billing/balance")["held_units"] == 0)
    paid = before - get(server, "/v1/billing/balance")["balance_units"]
    assert 0 < paid < long["max_tokens"] * OUTPUT


def test_an_empty_wallet_is_402(tiny_model_home: Path, tmp_path: Path) -> None:
    with running(copy_of(tiny_model_home, tmp_path / "home"), "--credits", "0.00001") as poor:
        with patient(poor) as client:
            assert client.completions.create(model="tiny", prompt="fire", max_tokens=2).choices
            with pytest.raises(openai.APIStatusError, match="credits") as refused:
                client.chat.completions.create(**ASK)
        assert refused.value.status_code == 402
        assert refused.value.code == "insufficient_credits"
        assert get(poor, "/v1/billing/balance")["held_units"] == 0


def test_everything_ends_with_a_killed_supervisor_and_starts_again(
    tiny_model_home: Path, tmp_path: Path
) -> None:
    home = copy_of(tiny_model_home, tmp_path / "home")
    first = start(home)
    parts = first.state()["processes"].values()
    first.process.kill()
    first.process.wait()
    assert first.process.stdout
    first.process.stdout.close()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts))
    assert hearth(home, "status").returncode == 3
    with running(home) as second:
        assert second.key != first.key
        for key in (first.key, second.key):
            with patient(second, key) as client:
                assert client.chat.completions.create(**ASK).choices
    assert hearth(home, "status").returncode == 3


def test_it_goes_on_in_the_background_until_it_is_told_to_end(
    tiny_model_home: Path, tmp_path: Path
) -> None:
    home = copy_of(tiny_model_home, tmp_path / "home")
    done = hearth(home, "up", "--detach", "--port", "0", "--no-model")
    assert done.returncode == 0, done.stderr
    assert "shown only this once" in done.stdout
    for words in ("from openai import OpenAI", "from together import Together", "curl http"):
        assert words in done.stdout
    assert json.loads(hearth(home, "--json", "status").stdout)["ready"]
    assert hearth(home, "down").returncode == 0
    assert hearth(home, "status").returncode == 3
    assert "Nothing runs" in hearth(home, "down").stdout


def test_a_key_of_the_users_own_is_the_one_that_is_said(
    tiny_model_home: Path, tmp_path: Path
) -> None:
    own, home = "chosen-by-the-user-001", copy_of(tiny_model_home, tmp_path / "home")
    with running(home, OPENHEARTH_API_KEY=own) as platform, patient(platform) as client:
        assert platform.key == own
        assert client.models.list().data


def test_a_key_of_the_users_own_that_was_revoked_stays_so(
    tiny_model_home: Path, tmp_path: Path
) -> None:
    own, home = "chosen-by-the-user-001", copy_of(tiny_model_home, tmp_path / "home")
    with running(home, OPENHEARTH_API_KEY=own) as platform:
        assert hearth(home, "keys", "revoke", "environment").returncode == 0
        platform.kill("gateway")  # it comes back without that key
        with pytest.raises(openai.AuthenticationError), patient(platform) as client:
            client.models.list()
    command = [sys.executable, "-m", "openhearth.cli", "up", "--port", "0", "--no-model"]
    variables = environment(home) | {"OPENHEARTH_API_KEY": own}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 1
    assert "OPENHEARTH_API_KEY was revoked" in done.stderr
