"""Real text for the comparisons: functions of the packages that every environment here has."""

from __future__ import annotations

from openhearth.data import read

PACKAGES = "python:networkx,sympy,torch,numpy,pyarrow,transformers,matplotlib,hypothesis,jinja2"


def texts() -> list[str]:
    """The functions' texts, the same on every machine with the same versions."""
    corpus = read(PACKAGES)
    return [text for batch in corpus.batches() for text in batch.column("text").to_pylist()]
