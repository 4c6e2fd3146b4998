"""A measurement from its beginning to its report: gate, load, reference, figures, files.

However it ends, what came until then is written: a report that was broken off is partial (rule 58).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from openhearth.bench.gate import Reference, canaries, questions
from openhearth.bench.load import round_trip
from openhearth.bench.machine import describe_machine
from openhearth.bench.measures import counter
from openhearth.bench.points import beacon_seed
from openhearth.bench.recipe import Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.disclosure import Client, Disclosure
from openhearth.bench.report.figures import Measurement
from openhearth.bench.report.write import check_free, write
from openhearth.bench.session import BrokenOff, Session, Side
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent

PACKAGES = ("openhearth", "httptools", "uvloop", "numpy", "scipy", "tokenizers", "torch")


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and where its report goes. `beacon` is a public number (rule 9)."""

    recipe: Recipe
    sides: Sequence[Side]
    out: Path
    reference: Reference | None = None
    seed: int | None = None
    beacon: str | None = None
    place: str = ""
    processes: int = 1
    share: tuple[int, int] = (1, 1)  # which of how many machines this is
    begin: float | None = None  # Unix time at which all of them do
    key: Path | None = None  # that signs; else that of this home


@dataclass
class Measuring:
    """A measurement under way."""

    plan: Plan
    progress: Progress = silent
    session: Session = field(init=False)
    _broken_off: bool = False
    _reference: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Look at everything that can be wrong before any work is done.

        Raises:
            UsageError: the place of the report has something else, or a target is none.
            NotFound: the tokenizer is not in the store.
            HearthError: nobody answers at an address.
        """
        check_free(self.plan.out)
        recipe, seed = self.plan.recipe, seed_of(self.plan)
        if self.plan.share[1] > 1 and (self.plan.seed, self.plan.beacon) == (None, None):
            raise UsageError("Machines that share a load need the same --seed or --beacon.")
        for side in self.plan.sides:
            round_trip(side.target)
        self._asked: list[Ask] = []
        if recipe.gate is not None and self.plan.reference is not None:
            self._asked = questions(recipe, recipe.gate, seed)
        self.session = Session(
            recipe,
            seed,
            self.plan.sides,
            counter(recipe.tokenizer),
            canaries(self._asked),
            self.plan.processes,
            self.plan.share,
            self.plan.begin,
            self.progress,
        )

    def carry_out(self, work: Callable[[Measuring], object]) -> Disclosure:
        """The gate's questions, the work, the reference's answers, and the report. Ctrl-C ends this
        at any time with a report of what there is.

        Raises:
            HearthError: the work or the reference failed, or the disk is full; what came before
                the work failed is written.
        """
        try:
            for side in range(len(self.plan.sides)) if self._asked else ():
                self.session.ask_alone(self._asked, side)
            work(self)
            self._ask_reference()
        except (BrokenOff, KeyboardInterrupt):
            self._broken_off = True
        finally:
            disclosure = self.write()
        return disclosure

    def write(self) -> Disclosure:
        """The report of what there is so far."""
        plan, session = self.plan, self.session
        disclosure = Disclosure(
            created=time.time(),
            recipe=plan.recipe,
            seed=session.seed,
            beacon=plan.beacon,
            reference=plan.reference.name if plan.reference and self._asked else None,
            entries=tuple(side.entry for side in plan.sides),
            points=tuple(session.points),
            broken_off=self._broken_off,
            client=Client(
                machine=describe_machine(),
                software={name: one for name in PACKAGES if (one := _version(name))},
                processes=plan.processes,
                place=plan.place,
                time_zone=time.strftime("%z"),
            ),
        )
        measurement = Measurement(
            disclosure, session.records, self._reference, session.counter, session.measures
        )
        return write(plan.out, measurement, plan.key)

    def _ask_reference(self) -> None:
        """After the load, with which it would share a machine."""
        if not self._asked or self.plan.reference is None:
            return
        self._reference = self.plan.reference.answers(self._asked, self.progress)
        for number, point in enumerate(self.session.points):
            if point.role == "gate":
                served = [r for r in self.session.records if r.point == number]
                scored = self.plan.reference.scores(served, self.progress)
                for record in scored:
                    record.point = 1 + point.entry
                self._reference += scored


def seed_of(plan: Plan) -> int:
    """By the beacon, as given, or drawn (rule 9)."""
    if plan.beacon is not None:
        return beacon_seed(plan.recipe, plan.beacon)
    return secrets.randbits(56) if plan.seed is None else plan.seed


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
