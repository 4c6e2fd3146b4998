"""`hearth up` by TLS: official clients, commands and jobs, renewed certificates; and what becomes
of jobs when it is started again, or their keys are revoked.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import together

from openhearth.platform.tls import Tls
from tests import certificates
from tests.platform.batches.conftest import chat
from tests.system.up import ONE_THREAD, Platform, copy_of, hearth, running
from tests.waiting import until

pytestmark = [pytest.mark.system, certificates.needed]

ENDPOINT: Any = "/v1/chat/completions"
TRAINING = 50  # units for a token, by the prices that ship
LINES = 400  # of a batch that is not over before something happens to it
ENDLESS = {"temperature": 0, "logit_bias": {"2": -100, "4": -100}}


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return certificates.self_signed(tmp_path)


@pytest.fixture
def home(tiny_model_home: Path, tmp_path: Path) -> Path:
    return copy_of(tiny_model_home, tmp_path / "home")


@contextmanager
def up(home: Path, tls: Tls) -> Iterator[Platform]:
    words = ("--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key))
    with running(home, *words, **ONE_THREAD) as platform:
        assert platform.url.startswith("https://127.0.0.1:")
        yield platform


@contextmanager
def client_of(platform: Platform, tls: Tls, key: str = "") -> Iterator[openai.OpenAI]:
    """OpenAI's, which believes this certificate."""
    with openai.OpenAI(
        base_url=f"{platform.url}/v1",
        api_key=key or platform.key,
        http_client=httpx.Client(verify=certificates.trusting(tls)),
    ) as client:
        yield client


def local(platform: Platform) -> Platform:
    """As commands on this machine find it."""
    said = json.loads((platform.home / "run" / "platform.json").read_text())
    return replace(platform, url=said["local"], key=said["key"])


def lines(path: Path, count: int) -> Path:
    rows = [chat(number, **ENDLESS) for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def begun(client: openai.OpenAI, path: Path) -> str:
    """A batch of which some lines have an answer."""
    file = client.files.create(file=path, purpose="batch")
    batch = client.batches.create(
        completion_window="24h", endpoint=ENDPOINT, input_file_id=file.id
    ).id

    def is_under_way() -> bool:
        counts = client.batches.retrieve(batch).request_counts
        return counts is not None and counts.completed > 0

    until(is_under_way)
    return batch


def ended(client: openai.OpenAI, batch: str) -> openai.types.Batch:
    states = ("completed", "cancelled", "failed")
    until(lambda: client.batches.retrieve(batch).status in states)
    return client.batches.retrieve(batch)


def answers(client: openai.OpenAI, batch: openai.types.Batch) -> list[dict[str, Any]]:
    text = client.files.content(batch.output_file_id or "").text
    return [json.loads(line)["response"] for line in text.splitlines()]


def test_clients_commands_and_jobs_find_it(
    home: Path, tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lines(tmp_path / "lines.jsonl", 3)
    with up(home, tls) as platform, client_of(platform, tls) as client:
        whole = client.models.list().data
        doubting = {"base_url": f"{platform.url}/v1", "api_key": platform.key, "max_retries": 0}
        with pytest.raises(openai.APIConnectionError), openai.OpenAI(**doubting) as stranger:
            stranger.models.list()
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))  # as the guide says
        with openai.OpenAI(**doubting) as friend:
            assert friend.models.list().data == whole
        with together.Together(base_url=platform.url, api_key=platform.key) as friend:
            assert friend.files.upload(path, purpose="batch-api", check=False).id
        monkeypatch.delenv("SSL_CERT_FILE")
        kept = json.loads(
            hearth(home, "--json", "files", "upload", str(path), "--purpose", "batch").stdout
        )
        batch = client.batches.create(
            completion_window="24h", endpoint=ENDPOINT, input_file_id=kept["id"]
        )
        done = ended(client, batch.id)
        assert [answer["status_code"] for answer in answers(client, done)] == [200] * 3
        assert batch.id in hearth(home, "jobs", "list").stdout
        assert platform.url in hearth(home, "status").stdout
        assert platform.state()["ready"]


def test_a_renewed_certificate_needs_no_restart(home: Path, tls: Tls, tmp_path: Path) -> None:
    new = certificates.self_signed(tmp_path, name="new")
    used = Tls(tmp_path / "used.pem", tmp_path / "used.key")
    for old, there in ((tls.certificate, used.certificate), (tls.key, used.key)):
        shutil.copy(old, there)
    with up(home, used) as platform:
        with client_of(platform, tls) as client:
            assert client.models.list().data
        os.replace(new.certificate, used.certificate)
        os.replace(new.key, used.key)
        with client_of(platform, used) as client:
            assert client.models.list().data
        assert platform.state()["restarts"]["gateway"] == 0


def test_a_batch_of_this_machines_key_goes_on_after_a_restart(
    home: Path, tls: Tls, tmp_path: Path
) -> None:
    path = lines(tmp_path / "lines.jsonl", LINES)
    with up(home, tls) as platform:
        here = local(platform)
        with openai.OpenAI(base_url=f"{here.url}/v1", api_key=here.key) as client:
            batch = begun(client, path)
            assert client.batches.retrieve(batch).status == "in_progress"
    with up(home, tls) as platform, client_of(platform, tls, local(platform).key) as client:
        assert local(platform).key != here.key
        done = ended(client, batch)
        assert done.status == "completed"
        assert [answer["status_code"] for answer in answers(client, done)] == [200] * LINES
        with pytest.raises(openai.AuthenticationError), client_of(platform, tls, here.key) as old:
            old.models.list()


def metrics(client: openai.OpenAI, job: str) -> list[dict[str, Any]]:
    """The numbers of all steps."""
    found: list[dict[str, Any]] = []
    after = -1
    while True:
        path = f"/jobs/{job}/metrics?after={after}"
        page = client.get(path, cast_to=httpx.Response).json()["data"]
        if not page:
            return found
        found += page
        after = page[-1]["step"]


@contextmanager
def revoked(platform: Platform, tls: Tls) -> Iterator[tuple[openai.OpenAI, str]]:
    """A client with a key, which is revoked at the end of the block, and the key's id."""
    made = json.loads(hearth(platform.home, "--json", "keys", "create", "--name", "brief").stdout)
    with client_of(platform, tls, made["key"]) as brief:
        yield brief, made["id"]
    assert hearth(platform.home, "keys", "revoke", "brief").returncode == 0


def paid(platform: Platform, client: openai.OpenAI, key: str) -> int:
    """What a key has spent, once nothing is held any more, in units."""

    def held() -> int:
        return client.get("/billing/balance", cast_to=httpx.Response).json()["held_units"]

    until(lambda: held() == 0)
    said = json.loads(hearth(platform.home, "--json", "usage", "--by", "key").stdout)
    (own,) = said["organisations"]
    return {row["key"]: row["cost_units"] for row in own["usage"]}[key]


def test_jobs_whose_keys_are_revoked_end_and_hand_in_what_is_done(
    home: Path, tls: Tls, tmp_path: Path
) -> None:
    with up(home, tls) as platform, client_of(platform, tls) as client:
        with revoked(platform, tls) as (brief, key):
            batch = begun(brief, lines(tmp_path / "lines.jsonl", 20 * LINES))
        done = ended(client, batch)
        assert done.status == "cancelled"
        found = answers(client, done)
        assert 0 < len(found) < 20 * LINES
        assert done.error_file_id is None
        assert "key_ended" in hearth(home, "jobs", "logs", batch).stdout
        costs = [answer["body"]["usage"]["cost"] for answer in found]
        assert paid(platform, client, key) == sum(costs)

        with revoked(platform, tls) as (brief, key):
            text = tmp_path / "text.jsonl"
            text.write_text(1000 * (json.dumps({"text": "Fire is warm."}) + "\n"))
            file = brief.files.create(file=text, purpose="fine-tune")
            job = brief.fine_tuning.jobs.create(
                model="tiny",
                training_file=file.id,
                hyperparameters={"n_epochs": 10, "batch_size": 1},
            ).id
            until(lambda: metrics(brief, job))
        until(lambda: client.fine_tuning.jobs.retrieve(job).status == "cancelled")
        trained = sum(step["values"]["tokens"] for step in metrics(client, job))
        assert paid(platform, client, key) == TRAINING * trained > 0
