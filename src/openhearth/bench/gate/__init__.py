"""The quality gate: is the served model the one that was named?

In: answers of a server and of its declared reference to the same questions. Out: distances with
intervals, findings, and a class (rules 31 to 44). Equality is never concluded from a test that did
not reject: a bound on the distance has to be small.
"""

from openhearth.bench.gate.questions import canaries, questions
from openhearth.bench.gate.reference import Reference, reference_of
from openhearth.bench.gate.verdict import Verdict, judge

__all__ = ["Reference", "Verdict", "canaries", "judge", "questions", "reference_of"]
