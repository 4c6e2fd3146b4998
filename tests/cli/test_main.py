"""The command line's own promises: exit codes, sentences instead of traces, instant help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import openhearth.cli
from openhearth import __version__
from openhearth.cli import COMMANDS
from openhearth.cli import hearth as group
from openhearth.errors import CorruptArtifact, HearthError, NotFound, UsageError

HEAVY = {"torch", "numpy", "pyarrow", "pydantic", "fastapi", "transformers", "matplotlib"}


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['hearth', '--help']\n"
        "from openhearth.cli import run; code = run()\n"
        "print(sorted(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    page, modules = done.stdout.rsplit("\n", 2)[:2]
    assert not HEAVY & set(eval(modules))
    for name in COMMANDS:
        assert f"  {name} " in page


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_is_one_sentence_first(name: str, hearth: Any) -> None:
    result = hearth(name, "--help")
    assert result.code == 0
    assert f"Usage: hearth {name}" in result.out
    command = group.get_command(click.Context(group), name)
    assert command
    assert command.name == name


@pytest.mark.parametrize("words", [("--json", "ls"), ("ls", "--json")])
def test_json_may_stand_before_a_command_and_after_it(words: tuple[str, ...], hearth: Any) -> None:
    assert hearth(*words).out == "[]\n"
    assert hearth("ls").out != "[]\n"


def test_version(hearth: Any) -> None:
    assert hearth("--version").out == f"hearth, version {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HearthError("It failed: do this."), 1),
        (CorruptArtifact("It failed: do this."), 1),
        (UsageError("It failed: do this."), 2),
        (NotFound("It failed: do this."), 3),
    ],
)
def test_an_expected_failure_is_one_sentence_and_its_code(
    error: HearthError, code: int, hearth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = raising(error, hearth, monkeypatch)
    assert (result.code, result.out, result.err) == (code, "", "hearth: It failed: do this.\n")


def test_ctrl_c_is_130_and_says_how_to_go_on(hearth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = raising(KeyboardInterrupt(), hearth, monkeypatch)
    assert result.code == 130
    assert "same command again" in result.err


def test_a_bug_is_called_one_and_traced_only_on_demand(
    hearth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = raising(ZeroDivisionError("by zero"), hearth, monkeypatch)
    assert result.code == 1
    assert "this is a bug: ZeroDivisionError: by zero" in result.err
    assert "Traceback" not in result.err
    monkeypatch.setenv("HEARTH_DEBUG", "1")
    assert "Traceback" in raising(ZeroDivisionError(), hearth, monkeypatch).err


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["ls", "--no-such-option"], ["show"], ["serve", "x", "y"]]
)
def test_wrong_usage_is_2(arguments: list[str], hearth: Any) -> None:
    result = hearth(*arguments)
    assert result.code == 2
    assert "Usage: hearth" in result.err


def test_the_home_option_goes_before_the_environment(hearth: Any, tmp_path: Path) -> None:
    assert hearth("--home", str(tmp_path / "other"), "--json", "ls").json == []
    assert (tmp_path / "other" / "manifests").is_dir()


def test_a_home_that_cannot_be_written_is_explained(hearth: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = hearth("--home", str(tmp_path / "file"), "ls")
    assert result.code == 1
    assert "point OPENHEARTH_HOME at a directory of yours" in result.err


def test_a_reader_that_has_gone_is_no_error_message(tmp_path: Path) -> None:
    command = f"{sys.executable} -m openhearth.cli --quiet data read {Path(__file__).parent} | true"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"OPENHEARTH_HOME": str(tmp_path)},
    )
    assert done.stderr == ""


def raising(error: BaseException, hearth: Callable[..., Any], patch: pytest.MonkeyPatch) -> Any:
    """What a command that ends in `error` leaves."""

    @click.command()
    def ls() -> None:
        raise error

    patch.setattr(openhearth.cli.LazyGroup, "get_command", lambda *_: ls)
    return hearth("ls")
