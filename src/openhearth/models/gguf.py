"""Models as GGUF files: all block quantisations that the `gguf` package can expand.

The file stays as it is in the store; its tensors are expanded when a model is loaded. GGUF keeps
the rows of q and k of the Llama architecture interleaved for its own RoPE; reading undoes that.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openhearth.errors import CorruptArtifact, MissingExtra, UsageError
from openhearth.models.config import (
    LARGEST_HEAD,
    MOST_BLOCKS,
    Attention,
    Block,
    ModelConfig,
    SwiGLU,
    bounded,
)
from openhearth.models.names import GGUF_LLAMA, translate
from openhearth.models.weights import Weights

ARCHITECTURES = ("llama", "qwen2")


class GgufFile(Weights):
    """An open GGUF file.

    Raises:
        CorruptArtifact: it is damaged, cut short, or no GGUF file.
    """

    def __init__(self, path: Path) -> None:
        try:
            import gguf

            from openhearth.models.gguf_reader import BoundedReader
        except ModuleNotFoundError as error:
            raise MissingExtra("gguf", "torch") from error
        self.path = path
        self._dequantize = gguf.dequantize
        try:
            self._reader = BoundedReader(path)
        except Exception as error:  # the reader has no errors of its own: whatever it stumbles on
            raise self._damaged(error) from error
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}

    def field(self, name: str, default: Any = None) -> Any:
        """The metadata field `name`: a number, a text or a list."""
        entry = self._reader.fields.get(name)
        if entry is None:
            return default
        try:
            return entry.contents()
        except Exception as error:
            raise self._damaged(error) from error

    @property
    def architecture(self) -> str:
        """Its family, in GGUF's words.

        Raises:
            UsageError: it is not supported.
        """
        name = self.field("general.architecture")
        if name not in ARCHITECTURES:
            raise UsageError(
                f"GGUF models of architecture {name!r} are not supported yet: "
                f"use one of {', '.join(ARCHITECTURES)}."
            )
        return name

    @cached_property
    def config(self) -> ModelConfig:
        """The model's description.

        Raises:
            CorruptArtifact: the metadata is incomplete.
        """
        try:
            return self._config()
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise self._damaged(error) from error

    def _config(self) -> ModelConfig:
        def setting(name: str, default: Any = None) -> Any:
            return self.field(f"{self.architecture}.{name}", default)

        heads, width = setting("attention.head_count"), setting("embedding_length")
        if setting("rope.scaling.type", "none") not in ("none", "linear"):
            raise UsageError(f"{self.path.name} scales its RoPE in a way not supported yet.")
        head_dim = bounded(setting("attention.key_length", width // heads), LARGEST_HEAD)
        mixer = Attention(
            heads=heads,
            kv_heads=setting("attention.head_count_kv", heads),
            head_dim=head_dim,
            rope_theta=setting("rope.freq_base", 10000.0),
            rope_factors=self._rope_factors(setting("rope.scaling.factor"), head_dim),
            bias="blk.0.attn_q.bias" in self._tensors,
        )
        block = Block(mixer=mixer, channel=SwiGLU(hidden=setting("feed_forward_length")))
        return ModelConfig(
            vocab_size=len(self.field("tokenizer.ggml.tokens", ())),
            width=width,
            context_length=setting("context_length"),
            norm_eps=setting("attention.layer_norm_rms_epsilon"),
            tied_head="output.weight" not in self._tensors,
            blocks=(block,) * bounded(setting("block_count"), MOST_BLOCKS),
        )

    def _rope_factors(self, factor: float | None, head_dim: int) -> tuple[float, ...] | None:
        if "rope_freqs.weight" in self._tensors:
            return tuple(map(float, self._expand("rope_freqs.weight")))
        return None if factor is None else (float(factor),) * (head_dim // 2)

    def read(self, name: str) -> torch.Tensor:
        theirs = translate(name, GGUF_LLAMA)
        if theirs not in self._tensors:
            raise CorruptArtifact(f"{self.path.name} lacks {theirs}: download the model again.")
        values = self._ordered(name, self._expand(theirs))
        return torch.tensor(np.asarray(values, dtype=np.float32))

    def _ordered(self, name: str, rows: np.ndarray) -> np.ndarray:
        """The rows of a matrix in our order."""
        mixer = self.config.blocks[0].mixer
        if self.architecture == "llama" and ".mixer.q." in name:
            return _uninterleave(rows, mixer.heads)
        if self.architecture == "llama" and ".mixer.k." in name:
            return _uninterleave(rows, mixer.kv_heads)
        return rows

    def packed(self, name: str) -> tuple[int, np.ndarray, np.ndarray]:
        """A matrix as it is in the file: ggml's number of its type, its rows as uint8 [rows,
        bytes], and where each row stands in the matrix that `read` gives, int64 [rows].

        Raises:
            CorruptArtifact: the file lacks it.
        """
        tensor = self._tensors.get(translate(name, GGUF_LLAMA))
        if tensor is None:
            raise CorruptArtifact(f"{self.path.name} lacks {name}: download the model again.")
        data = tensor.data.view(np.uint8)  # rows of numbers or of bytes
        rows = np.arange(len(data))[:, None]
        return int(tensor.tensor_type), data, np.argsort(self._ordered(name, rows)[:, 0])

    def _expand(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        try:
            return self._dequantize(tensor.data, tensor.tensor_type)
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> CorruptArtifact:
        return CorruptArtifact(
            f"{self.path.name} is damaged, cut short, or not a GGUF file "
            f"({error or type(error).__name__}): download it again."
        )


def _uninterleave(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows (pair, half) of each head back to (half, pair), the order in which we rotate."""
    shape = values.shape
    return values.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(shape)
