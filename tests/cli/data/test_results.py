"""What all commands that write have in common: one at a time, and never over what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from openhearth.cli.data import data
from openhearth.store.disk import locked_if_free
from tests.cli.data.conftest import story, write_lines

COMMANDS = {
    "signals": [],
    "filter": ["--rules", "c4"],
    "dedup": [],
    "minhash": [],
    "counts": [],
    "select": ["--n", "2", "--method", "random"],
    "mask": [],
    "decontaminate": ["--against", "{docs}"],
}
SUFFIX = {"minhash": ".parquet", "counts": ".npz"}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return write_lines(folder / "docs.jsonl", map(story, range(3)))


def command(name: str, docs: Path, out: Path) -> list[str]:
    options = [option.format(docs=docs) for option in COMMANDS[name]]
    return ["data", name, str(docs), *options, "--out", str(out)]


def test_every_command_that_writes_is_here() -> None:
    context = click.Context(data)
    writing = {
        name
        for name in data.list_commands(context)
        if any("--threads" in p.opts for p in data.get_command(context, name).params)
        and any(p.name == "out" for p in data.get_command(context, name).params)
    }
    assert writing == {*COMMANDS, "mix"}


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_strict_and_says_where(name: str, hearth: Any, docs: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{SUFFIX.get(name, '.jsonl')}"
    result = hearth("--json", *command(name, docs, out))
    assert result.code == 0, result.err

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(result.out, parse_constant=refuse)["out"] == str(out)
    assert out.exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_quiet_shows_no_progress(name: str, hearth: Any, docs: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{SUFFIX.get(name, '.jsonl')}"
    loud = hearth(*command(name, docs, out))
    assert "100%" in loud.err
    quiet = hearth("--quiet", *command(name, docs, out.with_stem("other")))
    assert quiet.err == ""
    assert str(out) in loud.out


@pytest.mark.parametrize("name", COMMANDS)
def test_another_writer_is_waited_for(name: str, hearth: Any, docs: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{SUFFIX.get(name, '.jsonl')}"
    work = out.with_name(f".{out.name}.work")
    work.mkdir()
    with locked_if_free(work / "lock", "busy"):
        result = hearth(*command(name, docs, out))
        assert result.code == 1
        assert "Another command is writing" in result.err
        assert not out.exists()
    assert hearth(*command(name, docs, out)).code == 0
    assert not work.exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_read_is_not_written(name: str, hearth: Any, docs: Path) -> None:
    suffix = SUFFIX.get(name, ".jsonl")
    inside = command(name, docs.parent, docs.with_name(f"out{suffix}"))
    inside = [str(docs.parent) if word == str(docs) else word for word in inside]
    for wrong in (inside, command(name, docs, docs.parent / ".." / "docs" / docs.name)):
        result = hearth(*wrong)
        assert result.code == 2, result.err
    assert [p.name for p in docs.parent.iterdir()] == ["docs.jsonl"]
    assert len(docs.read_text().splitlines()) == 3


def test_a_glob_is_what_it_matches(hearth: Any, docs: Path) -> None:
    pattern = str(docs.with_name("*.jsonl"))
    wrong = hearth("data", "mask", pattern, "--out", str(docs.with_name("new.jsonl")))
    assert wrong.code == 2
    assert "write elsewhere" in wrong.err
    right = hearth("data", "mask", pattern, "--out", str(docs.with_name("new.jsonl.gz")))
    assert right.code == 0, right.err
