"""Together's own command-line tool over `hearth up`: files, fine-tuning, batches, evaluations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.platform.batches.conftest import chat
from tests.system.up import ONE_THREAD, Platform, copy_of, running
from tests.waiting import until

TG = shutil.which("tg", path=str(Path(sys.executable).parent))
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(TG is None, reason="together has no command-line tool here"),
]


@pytest.fixture(scope="module")
def server(tiny_model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = copy_of(tiny_model_home, tmp_path_factory.mktemp("up") / "home")
    with running(home, **ONE_THREAD) as platform:
        yield platform


@pytest.fixture
def tg(server: Platform, tmp_path: Path) -> Callable[..., Any]:
    """What a command says in JSON, or in words."""
    environment = {
        "TOGETHER_BASE_URL": server.url,
        "TOGETHER_API_KEY": server.key,
        "TOGETHER_TELEMETRY_DISABLED": "1",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "COLUMNS": "200",
    }

    def run(*words: str, as_json: bool = True) -> Any:
        options = ["--json", "--non-interactive"] if as_json else ["--non-interactive"]
        done = subprocess.run(
            [str(TG), *words, *options],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout) if as_json else done.stdout

    return run


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_from_a_file_to_a_tuned_model(tg: Callable[..., Any], tmp_path: Path) -> None:
    rows = [{"prompt": f"number {n}", "completion": f" is {n}"} for n in range(20)]
    path = write(tmp_path / "rows.jsonl", rows)
    file = tg("files", "upload", str(path), "--purpose", "fine-tune")
    assert [found["id"] for found in tg("files", "ls")] == [file["id"]]
    tg("ft", "create", "--training-file", file["id"], "--model", "tiny", as_json=False)
    (listed,) = tg("ft", "ls")
    name = listed["id"]
    assert "$0.00" in tg("ft", "ls", as_json=False)
    until(lambda: tg("ft", "get", name)["status"] in ("completed", "error"))
    assert tg("ft", "get", name)["status"] == "completed"
    assert name in tg("ft", "get", name, as_json=False)
    assert tg("ft", "list-events", name)[-1]["type"] == "job_complete"
    assert tg("ft", "list-metrics", name)
    assert tg("ft", "list-checkpoints", name)[0]["checkpoint_type"].startswith("Final")
    merged, tokens = tmp_path / "merged.tar.zst", tmp_path / "tokens"
    tg("ft", "download", name, "-o", str(merged))
    assert merged.stat().st_size > 0
    tg("ft", "download-tokenized-dataset", name, "-o", str(tokens))
    assert list(tokens.iterdir())
    tg("ft", "delete", name)
    assert tg("ft", "ls") == []


def test_batches(tg: Callable[..., Any], tmp_path: Path) -> None:
    path = write(tmp_path / "lines.jsonl", [chat(0), chat(1, model="nobody")])
    made = tg("batches", "submit", str(path), "chat.completions")["job"]
    assert made["status"] == "VALIDATING"
    until(lambda: [found["status"] for found in tg("batches", "ls")] == ["COMPLETED"])
    assert "Completed" in tg("batches", "get", made["id"], as_json=False)
    files = tg("batches", "download", made["id"], "-o", str(tmp_path / "out.jsonl"))["files"]
    assert [file["kind"] for file in files] == ["output", "error"]
    assert json.loads(Path(files[0]["path"]).read_text())["custom_id"] == "line 0"


def test_evaluations_are_listed(tg: Callable[..., Any]) -> None:
    assert tg("evals", "ls") == []
