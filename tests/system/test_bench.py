"""`hearth bench` from the outside: a run, its check, wrong servers, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from openhearth.bench.stub import Answering, Times, Truth, stub
from tests.waiting import until

pytestmark = pytest.mark.system

RECIPE = """
protocol: 1
name: try
workloads: {chat: 2, structured: 1}
load: {arrivals: poisson, rate: 8}
seconds: 4
requests: 20
timeout_s: 5
gate: {prompts: 24, samples: 4, tasks: 2, max_tokens: 30, canaries: 0.2}
"""
HONEST = Truth(serves=Answering(length=200), key="a-key")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "try.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def server() -> Iterator[str]:
    with stub(HONEST) as url:
        yield url


def hearth(
    place: Path, *words: str, key: str = "a-key", form: Sequence[str] = ("--json",)
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openhearth.cli", *form, "bench", *words],
        cwd=place,
        env=environment(place, key),
        capture_output=True,
        text=True,
        timeout=120,
    )


def environment(place: Path, key: str = "a-key") -> dict[str, str]:
    return os.environ | {"OPENHEARTH_HOME": str(place / "home"), "OPENHEARTH_API_KEY": key}


def test_a_run_is_written_checked_told_and_shown(place: Path, server: str) -> None:
    reference = ["--reference", f"{server}#stub", "--reference-key", "a-key"]
    run = hearth(place, "run", "try.yaml", "--url", server, "--model", "stub", *reference)
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    assert told["entries"][0]["class"] in ("identical", "equivalent")
    assert told["points"][1]["errors"] == {}
    directory = place / "bench-try"
    assert {path.name for path in directory.iterdir()} == {
        "disclosure.json", "records.parquet", "reference.parquet", "report.html", "report.json"
    }  # fmt: skip
    checked = hearth(place, "verify", "bench-try")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    again = hearth(place, "verify", "bench-try", "--again", f"{server}#stub")
    what = [check["what"] for check in json.loads(again.stdout)]
    assert what[-2:] == ["answers again", "first tokens again"]  # of which chance may change one
    markdown = hearth(place, "report", "bench-try")
    assert "stub" in markdown.stdout
    board = hearth(place, "board", ".", "--out", "site")
    assert board.returncode == 0, board.stderr
    shown = json.loads(board.stdout)
    assert len(shown["unranked"]) == 1  # it is short
    assert shown["refused"] == []
    assert "a-key" not in "".join(
        path.read_bytes().decode(errors="replace") for path in directory.iterdir()
    )


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        (HONEST, "key"),
        (Truth(faults={"whole": 1}), "not_streaming"),
        (Truth(faults={"rate_limit": 1}), "rate_limit"),
        (Truth(faults={"html": 1}), "malformed"),
    ],
    ids=["wrong key", "no stream", "rate limit", "a page"],
)
def test_a_server_that_answers_nothing_is_a_report_and_an_error(
    place: Path, truth: Truth, kind: str
) -> None:
    with stub(truth) as url:
        run = hearth(place, "run", "try.yaml", "--url", url, "--model", "stub", key="wrong")
    assert run.returncode == 1
    assert f"No request was answered ({kind})" in run.stderr
    errors = json.loads((place / "bench-try" / "report.json").read_text())["points"][0]["errors"]
    assert errors.keys() == {kind}


def test_a_server_that_dies_in_the_middle_is_counted_and_explained(place: Path) -> None:
    """Not those whom the load itself has given up before that."""
    with stub(Truth(faults={"die": 1})) as url:
        run = hearth(place, "run", "try.yaml", "--url", url, "--model", "stub", form=())
    assert "cut: the stream ended in the middle of the answer." in run.stdout
    assert "rule 17: The load was short." in run.stdout
    point = json.loads((place / "bench-try" / "report.json").read_text())["points"][0]
    assert point["errors"].keys() == {"cut"}
    assert point["errors"]["cut"] + point["answers"]["hung_up"] >= point["answers"]["requests"]
    assert point["verdict"] == "fails"


def test_an_address_where_nobody_is_costs_no_load(place: Path) -> None:
    run = hearth(place, "run", "try.yaml", "--url", "http://127.0.0.1:9", "--model", "stub")
    assert run.returncode == 1
    assert "no connection to 127.0.0.1:9" in run.stderr
    assert not (place / "bench-try").exists()


@pytest.mark.parametrize(
    ("stage", "number", "broken"),
    [
        ("gate 1", signal.SIGTERM, [True]),
        ("ranked 2", signal.SIGINT, [False, True]),
        ("reference", signal.SIGTERM, [False, False]),
    ],
    ids=["gate", "load", "reference"],
)
def test_broken_off_at_any_stage_it_leaves_a_report_that_holds(
    place: Path, server: str, stage: str, number: signal.Signals, broken: list[bool]
) -> None:
    errors = place / "errors"
    slow = HONEST.model_copy(update={"first": Times(median_s=1.0)})
    with stub(slow) as other, errors.open("w") as written:
        command = ["bench", "run", "try.yaml", "--url", server, "--model", "stub"]
        command += ["--reference", f"{other}#stub", "--reference-key", "a-key"]
        child = subprocess.Popen(
            [sys.executable, "-m", "openhearth.cli", *command],
            cwd=place,
            env=environment(place),
            stdout=subprocess.DEVNULL,
            stderr=written,
        )
        until(lambda: stage in errors.read_text())
        child.send_signal(number)
        assert child.wait(60) == 130
    assert "It is partial" in errors.read_text()
    told = json.loads((place / "bench-try" / "report.json").read_text())
    assert told["partial"]
    assert not told["entries"][0]["ranked"]
    assert ["broken_off" in point["errors"] for point in told["points"]] == broken
    assert hearth(place, "verify", "bench-try").returncode == 0
