"""Evaluation: how good a model is, on text of one's own and on tasks that others use.

In: a model of the store, with an adapter or not, and texts (bits per byte, see `texts`) or tasks
in the format of `lm-eval` (see `tasks`). Out: reports in the store, with intervals, that know what
they were made from; what is there is found and not made again.
"""
