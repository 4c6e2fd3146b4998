"""A model with fewer bits: a GGUF file, in an artifact that tells what the bits were worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from openhearth.data.tokenizer import FILES, Tokenizer
from openhearth.errors import UsageError
from openhearth.models.build import shapes_of
from openhearth.models.config import ModelConfig
from openhearth.models.gguf import GgufFile
from openhearth.models.gguf_types import QUANTISED, Choice, choose
from openhearth.models.gguf_writer import export_gguf
from openhearth.models.quantize.report import METRIC, bits, bytes_of, report
from openhearth.models.quantize.text import PROSE, windows
from openhearth.models.stored import open_model
from openhearth.models.weights import Weights
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store

TARGETS = {"int8": "Q8_0"} | {kind.lower(): kind for kind in QUANTISED}
"""What a model can be quantised to, and what GGUF calls it."""


def quantize(
    store: Store, model: Artifact, to: str, *, text: str | None = None, progress: Progress = silent
) -> Artifact:
    """Make a model whose matrices are of the type `to`, one of `TARGETS`.

    Its `Report` compares it with `model`, both computed in fp32, on the first tokens of `text`, or
    of a page of prose and code.

    Raises:
        UsageError: there is no such type, or the model has no more bits, writes no text, or is an
            adapter, or GGUF has no words for it or one of its numbers; or the text is too short.
        CorruptArtifact: its files are damaged.
    """
    if to not in TARGETS:
        raise UsageError(f"The type is {to!r}, but must be one of {', '.join(TARGETS)}.")
    kind, (config, weights) = TARGETS[to], _opened(model)
    choices = {name: choose(name, s, kind, config) for name, s in shapes_of(config).items()}
    _check_gain(config, weights, choices, to)
    read = PROSE.read_text() if text is None else text
    texts = windows(read, Tokenizer.load(model))

    def build(draft: Draft) -> None:
        path = draft.path("model.gguf")
        export_gguf(model, path, kind=kind, progress=progress)
        for name in ("config.json", *FILES):
            draft.path(name).write_bytes(model.path(name).read_bytes())
        draft.license += model.manifest.license
        draft.creator += model.manifest.creator
        made = report(config, weights, GgufFile(path), choices, texts, progress)
        draft.metrics["parameters"] = model.manifest.metrics.get("parameters")
        draft.metrics[METRIC] = made.model_dump(mode="json")

    recipe = {"quantize": {"to": kind, "text": hashlib.sha256(read.encode()).hexdigest()}}
    return store.make("model", build, inputs={"model": model.digest}, recipe=recipe)


def _opened(model: Artifact) -> tuple[ModelConfig, Weights]:
    if model.kind == "adapter":
        raise UsageError(
            f"{model.digest[:12]} is an adapter: merge it into its base with `hearth models "
            "merge`, then quantise what comes out."
        )
    config, weights = open_model(model)
    config.check_writes()
    return config, weights


def _check_gain(
    config: ModelConfig, weights: Weights, choices: Mapping[str, Choice], to: str
) -> None:
    shapes = shapes_of(config)
    after = sum(choice.bytes(shapes[name]) for name, choice in choices.items())
    if after >= (before := bytes_of(config, weights)):
        raise UsageError(
            f"The model has {bits(config, before):.2f} bits a weight, and as {to} would have "
            f"{bits(config, after):.2f}: nothing is gained by that. Choose a type with fewer bits, "
            "or begin from the model that it was made from."
        )
