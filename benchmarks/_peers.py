"""Peers in processes and environments of their own, because their packages do not go with ours.

An environment is made on first use in `build/peers`, which git ignores, and kept while its
requirements are the same.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from _sides import Measure

ENVIRONMENTS = Path(__file__).parents[1] / "build" / "peers"


def peer_python(name: str, *requirements: str) -> Path:
    """The Python of an environment that has these packages, such as `datatrove==0.10.1`."""
    home = ENVIRONMENTS / name
    python, complete = home / "bin" / "python", home / "requirements.txt"
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    if complete.is_file() and complete.read_text() == wanted:
        return python
    print(f"making {home}, once: {', '.join(requirements)}", file=sys.stderr)
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    complete.write_text(wanted)
    return python


def peer_side(python: Path, script: Path, *arguments: str) -> Measure:
    """Start a peer's script, which answers a line of JSON with another; calling the result asks it.

    It ends when its input does, which is when this process ends.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [python, "-u", script, *arguments], stdin=pipe, stdout=pipe, text=True
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
