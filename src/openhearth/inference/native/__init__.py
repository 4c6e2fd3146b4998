"""The native executor: a model as a program of C++ kernels for this processor.

In: a model's description and weights; then works, a ragged batch at a time. Out: logits. It owns
how weights are packed, how a model is lowered, and the memory of keys and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhearth.errors import UsageError

if TYPE_CHECKING:
    from openhearth.inference.native.encoder import NativeEncoder
    from openhearth.inference.native.executor import NativeExecutor

try:
    import openhearth._engine as _engine
except ImportError:  # installed without a compiler
    _engine = None


class NoKernel(UsageError):
    """Another executor is needed for this model on this machine."""


def load(*arguments: Any, **settings: Any) -> NativeExecutor:
    """A native executor, as `open_executor` says.

    Raises:
        NoKernel: the extension was not built; a layer or a size has no kernel.
        CorruptArtifact: a weight is missing or damaged.
    """
    _check_built()
    from openhearth.inference.native.executor import NativeExecutor

    return NativeExecutor.load(*arguments, **settings)


def load_encoder(*arguments: Any, **settings: Any) -> NativeEncoder:
    """A native encoder, as `open_encoder` says. Raises what `load` raises."""
    _check_built()
    from openhearth.inference.native.encoder import NativeEncoder

    return NativeEncoder.load(*arguments, **settings)


def _check_built() -> None:
    if _engine is None:
        raise NoKernel(
            "The native executor was not built, as there was no C++ compiler: install one and then "
            "OpenHearth again, or use the torch executor."
        )
