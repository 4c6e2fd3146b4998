"""Options of commands with an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from openhearth.cli.engine_options import Size, engine_options
from openhearth.cli.serve import adapter_named
from openhearth.inference.executor import ELSEWHERE, KINDS


@pytest.mark.parametrize(
    ("text", "count"),
    [("2GiB", 2**31), ("500MB", 500_000_000), ("1.5k", 1500), ("64 Mi", 2**26), ("7", 7)],
)
def test_sizes(text: str, count: int) -> None:
    assert Size().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "lots", "0", "-1GiB", "2TB", "1e9"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2GiB"):
        Size().convert(text, None, None)


def test_the_executors_are_those_of_the_engine() -> None:
    @click.command()
    @engine_options
    def command(**settings: Any) -> None: ...

    choices = {p.name: p.type.choices for p in command.params if isinstance(p.type, click.Choice)}
    assert tuple(choices["executor"]) == KINDS + ELSEWHERE


def test_wrong_settings_are_told(hearth: Any, tiny_model_home: Path) -> None:
    ask = ("--home", str(tiny_model_home), "run", "tiny", "Hello")
    for wrong, reason in (
        (["--executor", "gpu"], "not one of"),
        (["--executor", "remote"], "needs a server"),
        (["--remote", "http://127.0.0.1:1"], "needs the executor remote"),
        (["--executor", "remote", "--remote", "somewhere"], "http://HOST:PORT"),
        (["--dtype", "int3"], "int3"),
        (["--kv-dtype", "int3"], "int3"),
        (["--kv-dtype", "int8", "--executor", "torch"], "leave it at auto"),
        (["--kv-memory", "1kB"], "give it more"),
        (["--threads", "0"], "not in the range"),
    ):
        result = hearth(*ask, *wrong)
        assert result.code == 2
        assert reason in result.err


def test_an_adapter_is_named_or_has_a_path() -> None:
    assert adapter_named("mine") == ("mine", "mine")
    assert adapter_named("mine=/a=b") == ("mine", Path("/a=b"))
