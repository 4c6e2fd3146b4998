"""Memory: what the commands take at most, over two corpora of which one is four times as large, and
what joining clusters takes, over so many documents that a few bytes for each would show.

Each runs in a process of its own, whose largest resident set the system tells (getrusage(2)).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from _results import Row, write
from _texts import texts

LIMIT = 300.0  # MB
SIZES = (100, 400)  # MB of text
DOCUMENTS = 50_000_000  # to be joined; they take 4 GB on disk
COMMANDS = {
    "signals": ["signals", "{docs}", "--out", "{out}.jsonl.gz"],
    "filter": ["filter", "{docs}", "--rules", "c4,gopher", "--out", "{out}.jsonl.gz"],
    "exact": ["dedup", "{docs}", "--method", "exact", "--out", "{out}.jsonl.gz"],
    "minhash": ["dedup", "{docs}", "--method", "minhash", "--out", "{out}.jsonl.gz"],
    "paragraph": ["dedup", "{docs}", "--method", "paragraph", "--out", "{out}.jsonl.gz"],
}
MEASURED = (
    "import resource, subprocess, sys\n"
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
)


def corpus(path: Path, megabytes: int) -> None:
    """Real text, again and again with other words, until it is so much."""
    size, copy, real = 0, 0, texts()
    with path.open("wb") as file:
        while size < megabytes * 1e6:
            copy += 1
            for text in real:
                # Copies differ in so many words that they are no near duplicates.
                other = text.replace("e ", f"e{copy} ").replace("s ", f"s{copy} ")
                file.write(orjson.dumps({"text": other}) + b"\n")
                size += len(text)
                if size >= megabytes * 1e6:
                    return


def peak(command: list[str]) -> float:
    """The largest resident set of a command, in MB."""
    program = [sys.executable, "-c", MEASURED, sys.executable, "-m", "openhearth.cli", "--quiet"]
    done = subprocess.run([*program, "data", *command], capture_output=True, check=True, text=True)
    return int(done.stdout) / 1000


def clusters(documents: int) -> float:
    """The largest resident set of the step from links to verdicts, in MB."""
    program = [sys.executable, str(Path(__file__).with_name("_clusters.py")), str(documents)]
    return float(subprocess.run(program, capture_output=True, check=True, text=True).stdout)


def row(work: str, megabytes: float) -> Row:
    return Row(work, "MB", megabytes, LIMIT, "limit", goal=1.0, less_is_better=True)


def main() -> None:
    rows = [row(f"clusters of {DOCUMENTS:,} documents", clusters(DOCUMENTS))]
    with TemporaryDirectory() as folder:
        for megabytes in SIZES:
            docs = Path(folder) / f"{megabytes}.jsonl"
            corpus(docs, megabytes)
            for name, arguments in COMMANDS.items():
                out = Path(folder) / f"{name}-{megabytes}"
                filled = [a.format(docs=docs, out=out) for a in arguments]
                rows.append(row(f"{name}, {megabytes} MB of text", peak(filled)))
    write("data_memory", rows)


if __name__ == "__main__":
    main()
