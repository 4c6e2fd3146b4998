"""`hearth models`: what models are, and models in and out; each command in its own file."""

from __future__ import annotations

from openhearth.cli.lazy import LazyGroup

HERE = "openhearth.cli.models"

models = LazyGroup(
    "models",
    help="Sizes of models, and models in and out.",
    lazy={
        "describe": (f"{HERE}.describe:describe", "Layers, arithmetic and memory of a model."),
        "import": (f"{HERE}.files:import_", "A directory or GGUF file into the store."),
        "export": (f"{HERE}.files:export", "A model as a directory or GGUF file."),
        "merge": (f"{HERE}.merge:merge", "One model of several."),
        "quantize": (f"{HERE}.quantize:quantize", "A model with fewer bits, and what they cost."),
    },
)
