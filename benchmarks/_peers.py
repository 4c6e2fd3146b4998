"""Peers in processes and environments of their own, because their packages do not go with ours.

An environment is made on first use in `build/peers`, which git ignores, and kept while its
requirements are the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _sides import Measure

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "build" / "peers"


def pinned(package: str) -> str:
    """The requirement of a package as the extra `peers` has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    peers: list[str] = project["optional-dependencies"]["peers"]
    return next(peer for peer in peers if peer.startswith(f"{package}=="))


def peer_python(name: str, *requirements: str, without: Sequence[str] = ()) -> Path:
    """The Python of an environment that has these packages, such as `datatrove==0.10.1`.

    Packages that they ask for but work better `without` are removed.
    """
    home = ENVIRONMENTS / name
    python, complete = home / "bin" / "python", home / "requirements.txt"
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    if complete.is_file() and complete.read_text() == wanted:
        return python
    print(f"making {home}, once: {', '.join(requirements)}", file=sys.stderr)
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    if without:
        subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", *without], check=True)
    complete.write_text(wanted)
    return python


def peer_side(
    python: Path, script: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Measure:
    """Start a peer's script, which answers a line of JSON with another; calling the result asks it.

    It has variables of `environment` beyond ours, and ends when its input does, which is when this
    process ends.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [python, "-u", script, *arguments],
        stdin=pipe,
        stdout=pipe,
        text=True,
        env=os.environ | dict(environment or {}),
    )
    questions, answers = process.stdin, process.stdout
    assert questions is not None
    assert answers is not None

    def measure(*arguments: Any) -> Any:
        print(json.dumps(arguments), file=questions, flush=True)
        answer = answers.readline()
        if not answer:
            raise SystemExit(
                f"{script.name} has ended with {process.wait()}: see its message above."
            )
        return json.loads(answer)

    return measure
