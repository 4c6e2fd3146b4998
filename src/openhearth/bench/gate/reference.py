"""The declared reference: who answers the gate's questions as they should be answered (E).

Either another server, or a model of the store, which is served for as long as it is needed with
fp32 weights, and which can score others' answers too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from openhearth.bench.load import Target, carry_out
from openhearth.bench.own_server import running
from openhearth.bench.records import Ask, Record
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store

if TYPE_CHECKING:
    from openhearth.bench.gate.scorer import Scorer

CALLERS, OF_OUR_OWN = 4, 16  # of a server of others, and of one that nobody else asks


@dataclass(frozen=True)
class Reference:
    """`name` is for the disclosure: a server's URL and model, or a model's name and digest."""

    name: str
    target: Target | None = None
    artifact: Artifact | None = None

    def answers(self, asked: Sequence[Ask], progress: Progress = silent) -> list[Record]:
        """What it answers.

        Raises:
            HearthError: its server does not start.
            KeyboardInterrupt: by Ctrl-C; half of its answers prove nothing.
        """
        with self._served() as target:

            def seen(done: int) -> None:
                progress("reference", done, len(asked), "answers")

            callers = CALLERS if self.artifact is None else OF_OUR_OWN
            sent = carry_out(target, asked, callers=callers, seen=seen)
        if sent.interrupted:
            raise KeyboardInterrupt
        return sent.records

    def scores(self, records: Sequence[Record], progress: Progress = silent) -> list[Record]:
        """The tokens of others' answers, as far as it can: none by a server."""
        return [] if self.artifact is None else self._scorer.score(records, progress)

    @cached_property
    def _scorer(self) -> Scorer:
        from openhearth.bench.gate.scorer import Scorer  # torch, which servers do without

        assert self.artifact is not None
        return Scorer(self.artifact)

    @contextmanager
    def _served(self) -> Iterator[Target]:
        if self.target is not None:
            yield self.target
            return
        assert self.artifact is not None
        home = self.artifact.store.root
        with running(home, self.artifact.digest, "--dtype", "float32") as server:
            yield Target(server.url, self.artifact.digest, server.key)


def reference_of(spec: str, key: str = "") -> Reference:
    """`URL#MODEL`, or the name of a model in the store.

    Raises:
        UsageError: it is neither.
        NotFound: the store has no such model.
    """
    if spec.startswith(("http://", "https://")):
        url, _, model = spec.partition("#")
        target = Target(url, model, key)
        _ = target.door  # refuses what is no URL
        return Reference(spec, target)
    artifact = Store().get(spec)
    return Reference(f"{spec} ({artifact.digest}), float32", artifact=artifact)
