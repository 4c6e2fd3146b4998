"""The native executor: a model as a program of C++ kernels for this processor.

In: a model's description and weights; then works, a ragged batch at a time. Out: logits. It owns
how weights are packed, how a model is lowered, and the memory of keys and values.
"""

try:
    import openhearth._engine as _engine
except ImportError:  # installed without a compiler
    _engine = None


def available() -> bool:
    """Whether the extension was built."""
    return _engine is not None
