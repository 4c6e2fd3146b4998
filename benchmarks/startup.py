"""How long `hearth --help` takes, and one token of a model in a new process.

Against the limits that we set ourselves, and a peer's help. The weights are in the page cache.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from _results import Row, alternate, seconds, write

LIMIT = 150.0  # milliseconds
FIRST_TOKEN_LIMIT = 1000.0
FIRST_TOKEN = ("run", "smollm2-135m", "Hello", "--max-tokens", "1", "--executor", "native")


def milliseconds(program: str, *arguments: str) -> float:
    """Of a call, as users make it."""
    call = [str(Path(sys.executable).with_name(program)), *arguments]
    return 1e3 * seconds(lambda: subprocess.run(call, stdout=subprocess.DEVNULL, check=True))


def main() -> None:
    ours, peer = alternate(
        lambda: milliseconds("hearth", "--help"), lambda: milliseconds("hf", "--help"), rounds=11
    )
    milliseconds("hearth", *FIRST_TOKEN)  # brings the model into the store
    first = statistics.median(milliseconds("hearth", *FIRST_TOKEN) for _ in range(11))
    write(
        "startup",
        [
            Row("hearth --help", "ms", ours, LIMIT, "limit", 1.0, less_is_better=True),
            Row("hearth --help", "ms", ours, peer, "hf --help", 1.0, less_is_better=True),
            Row("one token", "ms", first, FIRST_TOKEN_LIMIT, "limit", 1.0, less_is_better=True),
        ],
    )


if __name__ == "__main__":
    main()
