"""Holds the native pass against plain Python on a million texts.

Usage: `python -m tests.data.signals.deep [COUNT [SEED]]`. It prints the shortest text that it finds
for each signal that differs, and ends with exit code 1 if there is any.
"""

from __future__ import annotations

import sys
from random import Random

from tests.data.signals.texts import differences, random_text

BATCH = 500


def main(count: int = 1_000_000, seed: int = 0) -> int:
    """Compares `count` texts; returns how many of them differ."""
    different = 0
    known: set[str] = set()
    for done in range(0, count, BATCH):
        random = Random(seed + done)
        texts = [random_text(random) for _ in range(BATCH)]
        found = differences(texts)
        different += len({i for i, _ in found})
        for i, name in found:
            if name not in known:
                known.add(name)
                print(f"{name}: {smallest(texts[i], name)!a}", flush=True)
        if done % (20 * BATCH) == 0:
            print(f"{done + BATCH} texts, {different} differ", flush=True)
    print(f"{count} texts, {different} differ", flush=True)
    return different


def smallest(text: str, name: str) -> str:
    """A text as short as can be found in which a signal still differs, whatever its language."""

    def differs(part: str) -> bool:
        return name in [column for _, column in differences([part] * 4)]

    size = len(text) // 2
    while size:
        cuts = (text[:at] + text[at + size :] for at in range(0, len(text), size))
        shorter = next((cut for cut in cuts if differs(cut)), None)
        text, size = (shorter, size) if shorter is not None else (text, size // 2)
    return text


if __name__ == "__main__":
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
