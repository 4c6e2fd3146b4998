"""What the process holds of the system, and which requests it remembers."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from pathlib import Path

from openhearth.inference.sequence import Sequence
from openhearth.inference.stream import Stream

PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Resources:
    """`memory` is resident and of no file, in bytes; `requests` are live objects."""

    memory: int
    threads: int
    files: int
    requests: int

    @classmethod
    def now(cls) -> Resources:
        """Once all garbage is collected."""
        gc.collect()
        status = dict(line.split(":", 1) for line in (PROCESS / "status").read_text().splitlines())
        return cls(
            memory=int(status["RssAnon"].split()[0]) * 2**10,
            threads=len(os.listdir(PROCESS / "task")),
            files=len(os.listdir(PROCESS / "fd")) - 1,  # the listing's own
            requests=sum(type(one) in (Sequence, Stream) for one in gc.get_objects()),
        )

    def __str__(self) -> str:
        return (
            f"{self.memory / 2**20:.1f} MiB, {self.threads} threads, {self.files} files, "
            f"{self.requests} requests"
        )
