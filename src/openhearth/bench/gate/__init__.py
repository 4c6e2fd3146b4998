"""The quality gate: is the served model the one that was named?

In: answers of a server and of its declared reference to the same questions. Out: distances with
intervals, findings, and a class (rules 31 to 44). Equality is never concluded from a test that did
not reject: a bound on the distance has to be small.
"""
