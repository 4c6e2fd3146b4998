"""How long `hearth --help` takes, against the limit that we set ourselves and a peer's help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _results import Row, alternate, seconds, write

LIMIT = 150.0  # milliseconds


def help_of(program: str) -> float:
    """Milliseconds of `program --help`, as users start it."""
    path = Path(sys.executable).with_name(program)
    call = [str(path), "--help"]
    return 1e3 * seconds(lambda: subprocess.run(call, stdout=subprocess.DEVNULL, check=True))


def main() -> None:
    ours, peer = alternate(lambda: help_of("hearth"), lambda: help_of("hf"), rounds=11)
    write(
        "startup",
        [
            Row("hearth --help", "ms", ours, LIMIT, "limit", 1.0, less_is_better=True),
            Row("hearth --help", "ms", ours, peer, "hf --help", 1.0, less_is_better=True),
        ],
    )


if __name__ == "__main__":
    main()
