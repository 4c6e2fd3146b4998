"""`hearth run` and `hearth chat` with a small real model."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

import openhearth as oh
from openhearth.data import Tokenizer

GREEDY = ("--temperature", "0", "--max-tokens", "8")


@pytest.fixture
def models(tiny_model_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use the store that holds `tiny` and `tiny-adapter`."""
    monkeypatch.setenv("OPENHEARTH_HOME", str(tiny_model_home))


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.usefixtures("models")
def test_run_prints_one_answer(hearth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hearth("run", "tiny", "Hello", *GREEDY)
    assert first.code == 0
    assert first.out.strip()
    value = hearth("--json", "run", "tiny", "Hello", *GREEDY).json
    assert (value["model"], value["text"]) == ("tiny", first.out.removesuffix("\n"))
    assert value["finish_reason"] == "length"
    assert value["usage"] == {"prompt_tokens": 23, "completion_tokens": 8, "cached_tokens": 0}
    assert 0 < value["timings"]["first_token"] <= value["timings"]["total"]
    type_in(monkeypatch, "Hello")
    assert hearth("run", "tiny", "-", *GREEDY).out == first.out
    assert hearth("run", "tiny-adapter", "Hello", *GREEDY).out != first.out
    assert hearth("run", "tiny", "Hello", "--system", "Be brief.", *GREEDY).out != first.out


@pytest.mark.usefixtures("models")
def test_the_same_seed_gives_the_same_answer(hearth: Any) -> None:
    ask = ("run", "tiny", "Hello", "--max-tokens", "8", "--seed")
    assert hearth(*ask, "1").out == hearth(*ask, "1").out
    assert len({hearth(*ask, str(seed)).out for seed in range(3)}) == 3


@pytest.mark.usefixtures("models")
def test_chat_answers_each_line_and_clear_forgets(
    hearth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = hearth("run", "tiny", "Hello", *GREEDY).out
    type_in(monkeypatch, "Hello\n\nHello\n/clear\nHello\n/exit\nnever read\n")
    result = hearth("chat", "tiny", *GREEDY)
    assert result.code == 0
    assert result.out.startswith(alone)
    assert result.out.endswith(alone)
    middle = result.out[len(alone) : -len(alone)]
    assert middle.strip()
    assert middle != alone
    assert "tiny is listening" in result.err


@pytest.mark.usefixtures("models")
def test_chat_without_a_name_takes_the_latest(hearth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")
    assert "Loading tiny-adapter" in hearth("chat", *GREEDY).err


def test_chat_without_a_name_leaves_encoders_out(hearth: Any, encoder_directory: Path) -> None:
    assert hearth("pull", str(encoder_directory), "--name", "vectors").code == 0
    result = hearth("chat")
    assert result.code == 3
    assert "There is no model yet" in result.err


def test_a_model_without_a_template_continues_the_prompt(
    hearth: Any, plain_directory: Path, home: Path
) -> None:
    value = hearth("--json", "run", str(plain_directory), "Hello", *GREEDY).json
    prompt = Tokenizer.load(plain_directory).encode("Hello")
    assert value["usage"]["prompt_tokens"] == len(prompt)
    assert value["usage"]["completion_tokens"] == 8
    assert oh.generate(str(plain_directory), "Hello", max_tokens=8, temperature=0) == value["text"]
    told = hearth("run", str(plain_directory), "Hello", "--system", "Be brief.", *GREEDY)
    assert told.code == 2
    assert "leave out --system" in told.err


def test_what_cannot_be_answered_is_a_sentence(hearth: Any) -> None:
    assert hearth("run", "nothing", "Hello").code == 3
    empty = hearth("run", "nothing", "  ")
    assert empty.code == 2
    assert "The prompt is empty" in empty.err
    nobody = hearth("chat")
    assert nobody.code == 3
    assert "hearth pull smollm2-135m" in nobody.err
    wrong = hearth("run", "nothing", "Hello", "--temperature", "-1")
    assert wrong.code == 2
