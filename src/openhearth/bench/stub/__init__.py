"""Stub: a server of known truth, for whatever measures servers to be held against.

In: a `Truth`, which says how fast the server is, how it fails, which model it has, and how it lies.
Out: a process that answers as OpenAI's API does (chat, completions, embeddings), and its own log of
what it wrote when.
"""

from openhearth.bench.stub.language import Language, render
from openhearth.bench.stub.running import log_of, stub
from openhearth.bench.stub.truth import Answering, Fault, Times, Truth

__all__ = ["Answering", "Fault", "Language", "Times", "Truth", "log_of", "render", "stub"]
