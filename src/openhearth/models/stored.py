"""Models in the store: their descriptions, and their weights, none of which is read yet."""

from __future__ import annotations

from openhearth.errors import UsageError
from openhearth.models.config import ModelConfig
from openhearth.models.gguf import GgufFile
from openhearth.models.huggingface import SafetensorsWeights
from openhearth.models.weights import Weights
from openhearth.store import Artifact


def open_model(artifact: Artifact) -> tuple[ModelConfig, Weights]:
    """A model's description, and its weights, none of which is read yet.

    Raises:
        UsageError: the artifact is no model.
        CorruptArtifact: its files are damaged.
    """
    if artifact.kind != "model":
        raise UsageError(f"{artifact.digest[:12]} is of kind {artifact.kind}, not a model.")
    config = config_of(artifact)
    if "model.gguf" in artifact.manifest.files:
        return config, GgufFile(artifact.path("model.gguf"))
    return config, SafetensorsWeights.of(artifact, config)


def config_of(model: Artifact) -> ModelConfig:
    """A model's description."""
    return ModelConfig.from_json(model.path("config.json").read_bytes())


def writes_text(artifact: Artifact) -> bool:
    """Whether it is a model or an adapter that answers: no encoder, and nothing else."""
    return artifact.kind in ("model", "adapter") and config_of(base_of(artifact)).causal


def base_of(artifact: Artifact) -> Artifact:
    """The model that an adapter was trained on; a model is its own.

    Raises:
        UsageError: the artifact is neither.
    """
    if artifact.kind == "model":
        return artifact
    if artifact.kind != "adapter":
        raise UsageError(
            f"{artifact.digest[:12]} is of kind {artifact.kind}, neither a model nor an adapter."
        )
    return artifact.store.get(artifact.manifest.inputs["base"])
