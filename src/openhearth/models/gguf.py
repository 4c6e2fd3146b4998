"""Models as GGUF files: all block quantisations that the `gguf` package can expand.

The file stays as it is in the store; its tensors are expanded when a model is loaded. GGUF keeps
the rows of q and k of the Llama architecture interleaved for its own RoPE; reading undoes that.
"""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from openhearth.errors import CorruptArtifact, UsageError
from openhearth.models.config import ModelConfig
from openhearth.models.families import describe
from openhearth.models.gguf_reader import Header
from openhearth.models.mixer_config import Attention
from openhearth.models.names import GGUF, translate
from openhearth.models.weights import Packed, Weights

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "gemma3": "Gemma3ForCausalLM",
}
SETTINGS = {
    "num_hidden_layers": "block_count",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "max_position_embeddings": "context_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "sliding_window": "attention.sliding_window",
    "sliding_window_pattern": "attention.sliding_window_pattern",
    "rope_theta": "rope.freq_base",
    "rope_local_base_freq": "rope.freq_base_swa",
}
"""What a `config.json` calls the metadata of a GGUF file."""
BIASES = {"attention_bias": "blk.0.attn_q.bias", "mlp_bias": "blk.0.ffn_up.bias"}
GEMMA3_27B = 62  # blocks; the only one with another scale, which the file does not tell


class GgufFile(Weights):
    """An open GGUF file.

    Raises:
        CorruptArtifact: it is damaged, cut short, or no GGUF file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            header = Header(path)
        except (ValueError, TypeError, LookupError, ArithmeticError, struct.error) as error:
            raise self._damaged(error) from error
        self._fields, self._tensors = header.fields, header.tensors

    def field(self, name: str, default: Any = None) -> Any:
        """The metadata field `name`: a number, a text or a list."""
        return self._fields.get(name, default)

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
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise self._damaged(error) from error

    def _config(self) -> ModelConfig:
        architecture = self.architecture
        found = {ours: self.field(f"{architecture}.{theirs}") for ours, theirs in SETTINGS.items()}
        raw = {name: value for name, value in found.items() if value is not None}
        raw |= {name: theirs in self._tensors for name, theirs in BIASES.items()}
        if architecture == "gemma3" and raw["num_hidden_layers"] == GEMMA3_27B:
            raw["query_pre_attn_scalar"] = raw["hidden_size"] / raw["num_attention_heads"]
        return describe(
            raw
            | {
                "architectures": [ARCHITECTURES[architecture]],
                "vocab_size": len(self.field("tokenizer.ggml.tokens", ())),
                "tie_word_embeddings": "output.weight" not in self._tensors,
                "rope_scaling": self._rope_scaling(architecture),
            }
        )

    def _rope_scaling(self, architecture: str) -> dict[str, Any]:
        """As in a `config.json`; the frequencies' factors may also be a tensor."""
        if "rope_freqs.weight" in self._tensors:
            factors = map(float, self._expand("rope_freqs.weight"))
            return {"rope_type": "given", "factors": tuple(factors)}
        factor = self.field(f"{architecture}.rope.scaling.factor")
        kind = self.field(f"{architecture}.rope.scaling.type", "linear" if factor else "none")
        return {"rope_type": "default" if kind == "none" else kind, "factor": factor}

    def values(self, name: str) -> np.ndarray:
        theirs = translate(name, GGUF)
        if theirs not in self._tensors:
            raise CorruptArtifact(f"{self.path.name} lacks {theirs}: download the model again.")
        return np.array(self._ordered(name, self._expand(theirs)), dtype=np.float32)

    def _ordered(self, name: str, rows: np.ndarray) -> np.ndarray:
        """The rows of a matrix in our order.

        Raises:
            CorruptArtifact: they are not of as many heads as the header says.
        """
        heads = _interleaved_heads(name, self.config, self.architecture)
        if heads is None:
            return rows
        if len(rows) % (2 * heads):
            raise CorruptArtifact(
                f"{name} in {self.path.name} has {len(rows)} rows, not of {heads} heads: "
                "the two do not belong together, so import them again."
            )
        return _uninterleave(rows, heads)

    def packed(self, name: str) -> Packed:
        tensor = self._tensors.get(translate(name, GGUF))
        if tensor is None:
            raise CorruptArtifact(f"{self.path.name} lacks {name}: download the model again.")
        data = tensor.data.view(np.uint8)  # rows of numbers or of bytes
        rows = np.arange(len(data))[:, None]
        return Packed(int(tensor.tensor_type), data, np.argsort(self._ordered(name, rows)[:, 0]))

    def _expand(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        try:
            return gguf.dequantize(tensor.data, tensor.tensor_type)
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> CorruptArtifact:
        return CorruptArtifact(
            f"{self.path.name} is damaged, cut short, or not a GGUF file "
            f"({error or type(error).__name__}): download it again."
        )


def _interleaved_heads(name: str, config: ModelConfig, architecture: str) -> int | None:
    """Of how many heads the rows of a matrix are, if the file has them in another order."""
    mixer = config.blocks[0].mixer
    if architecture != "llama" or not isinstance(mixer, Attention):
        return None
    return {"q": mixer.heads, "k": mixer.kv_heads}.get(name.split(".mixer.")[-1].split(".")[0])


def interleave(values: np.ndarray, name: str, config: ModelConfig, architecture: str) -> np.ndarray:
    """The rows of the matrix that we call `name`, in the order of the file."""
    heads = _interleaved_heads(name, config, architecture)
    if heads is None:
        return values
    shape = values.shape
    return values.reshape(heads, 2, shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(shape)


def _uninterleave(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows (pair, half) of each head back to (half, pair), the order in which we rotate."""
    shape = values.shape
    return values.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(shape)
