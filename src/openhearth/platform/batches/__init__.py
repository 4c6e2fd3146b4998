"""Batches: many requests in a file, answered when there is time, in the dialects of both APIs.

In: an uploaded file of requests, and the route that they are for. Out: a job whose lines are asked
of that route as their owner would, and files of answers and of errors.
"""

from openhearth.platform.batches.routes import router

__all__ = ["router"]
