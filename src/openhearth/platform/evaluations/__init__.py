"""Evaluations: a model of this platform judges answers, row by row, as Together's API has it.

In: an uploaded file of rows, what is to be judged (a column, or what a model says to each row), and
the judge's instructions. Out: a job, counts, and a file with every verdict.
"""

from openhearth.platform.evaluations.routes import router

__all__ = ["router"]
