"""The tutorial of the data room: what it says is typed in, and what it shows is what comes."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
PAGE = (Path(__file__).parents[2] / "docs/tutorials/data.md").read_text()
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
SAVE = re.compile(r"Save\s+this\s+as\s+`([^`]+)`:\s*$")
# What differs from place to place: digests, and sizes and places in what is compressed.
VARYING = [
    (r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "DIGEST"),
    (r"\d+(\.\d+)? (B|kB|MB)\b", "SIZE"),
    (r"at byte \d+", "at byte N"),
]


@dataclass(frozen=True)
class Step:
    """What the page has its reader type, and what it shows then."""

    commands: str
    shown: str


def steps(scratch: Path) -> Iterator[Step]:
    """The steps of the page, in their order; files that it wants saved are, before the next."""
    commands, end = "", 0
    for block in BLOCK.finditer(PAGE):
        before, end = PAGE[end : block.start()], block.end()
        language, text = block.groups()
        if name := SAVE.search(before):
            (scratch / name[1]).write_text(text)
        elif language == "text":
            yield Step(commands, text)
        else:
            assert language == "sh"
            commands = text


def like(text: str) -> str:
    """A text without what varies."""
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text.strip()


def agrees(said: str, shown: str) -> bool:
    """Whether an output is the one that is shown; a line of … stands for any number of lines."""
    literal = re.sub(r"([\[\]*?])", r"[\1]", like(shown))
    return fnmatchcase(like(said), re.sub(r"^…$", "*", literal, flags=re.MULTILINE))


def test_every_step_says_what_the_page_shows(tmp_path: Path) -> None:
    environment = os.environ | {
        "OPENHEARTH_HOME": str(tmp_path / "store"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    (version,) = re.findall(r"those of Python ([\d.]+),", PAGE)
    count = 0
    for step in steps(tmp_path):
        done = subprocess.run(
            ["bash", "-e", "-c", step.commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, step.commands + done.stderr
        assert done.stdout, step.commands
        if platform.python_version() == version:  # else its documentation is another text
            assert agrees(done.stdout, step.shown), f"{step.commands}\n{done.stdout}"
        count += 1
    assert count == len(re.findall(r"^```text", PAGE, re.MULTILINE))
    left = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("."))
    assert left == []


def test_the_comparison_sees_what_differs() -> None:
    assert agrees("a\nb 12 kB\nc\n", "a\n…\nc\n")
    assert agrees("x [1] 1.5 MB", "x [1] 99 B")
    assert not agrees("12 kept", "13 kept")
    assert not agrees("a\nb\n", "a\n")
