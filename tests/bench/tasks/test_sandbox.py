"""Functions that real models write by accident, and some that they write when asked to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from openhearth.bench.tasks import sandbox
from openhearth.bench.tasks.sandbox import outputs


def ran(body: str, argument: Any = 1) -> list[Any] | None:
    """What a function `f` with this body returns."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return outputs(f"def f(x):\n{lines}\n", "f", [argument])


def test_what_is_returned_comes_back_as_json() -> None:
    code = "from collections import Counter\ndef f(x):\n    return sorted(Counter(x))\n"
    assert outputs(code, "f", ["aba", [3, 1]]) == [["a", "b"], [1, 3]]
    assert ran("return (x, None)") == [[1, None]]


def test_what_is_printed_is_not_taken_for_it() -> None:
    assert ran("print('[5]')\nreturn x") == [1]
    assert ran("import sys\nsys.stderr.write('no')\nreturn x") == [1]


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('no')",
        "return 1 +",
        "return {x}",  # a set is no JSON
        "import os\nos._exit(0)",
        "raise SystemExit(0)",
        "return f(x)",
        "return [0] * 10**10",
        "return 'a' * (1 << 22)",  # more than may come back
    ],
)
def test_what_fails_is_no_answer(body: str) -> None:
    assert ran(body) is None


def test_other_names_are_no_answer() -> None:
    assert outputs("def g(x):\n    return x\n", "f", [1]) is None


def test_what_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "CPU_S", 1)
    assert ran("while True: pass") is None
    monkeypatch.setattr(sandbox, "WALL_S", 1)
    assert ran("import time\ntime.sleep(600)") is None


@pytest.mark.parametrize(
    "act",
    [
        "open({path!r}, 'w').write('here')",
        "__import__('os').open({path!r}, 65)",
        "__import__('pathlib').Path({path!r}).touch()",
        "__import__('os').mkdir({path!r})",
        "__import__('os').system('touch ' + {path!r})",
        "__import__('subprocess').run(['touch', {path!r}])",
        "__import__('os').posix_spawn('/usr/bin/touch', ['touch', {path!r}], {{}})",
    ],
)
def test_nothing_is_written_and_nothing_started(tmp_path: Path, act: str) -> None:
    path = tmp_path / "written"
    line = act.format(path=str(path))
    assert ran(line + "\nreturn x") is None
    assert not path.exists()
    assert ran(f"try:\n    {line}\nexcept Exception:\n    pass\nreturn x") == [1]
    assert not path.exists()


def test_there_is_no_network_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "s")
    assert ran("import socket\nsocket.create_connection(('127.0.0.1', 1))") is None
    assert ran("import os\nreturn os.environ.get('A_SECRET', '')") == [""]
    assert ran("import os\nreturn os.getcwd()") != [os.getcwd()]
