"""Writes `mergekit.json`: what mergekit makes of small random models. See `README.md`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from tests.conftest import write_tokenizer

HERE = Path(__file__).parent
MODELS = {"base": 0.0, "a": 0.5, "b": 0.5, "far": 40.0}
"""Random models, and by how much the tuned ones differ from the base."""
BOTH = ("a", "b")
SHARES = (0.5, 0.8)
DENSITY, SEED = 0.3, 7  # of what DARE keeps

OURS: dict[str, dict[str, Any]] = {
    "linear": {"method": "linear", "models": dict(zip(BOTH, SHARES, strict=True))},
    "slerp": {"method": "slerp", "models": dict.fromkeys(BOTH, 1.0), "share": 0.3},
    "slerp, far": {"method": "slerp", "models": dict.fromkeys(("a", "far"), 1.0), "share": 0.3},
    "task arithmetic": {
        "method": "task_arithmetic",
        "models": dict(zip(BOTH, SHARES, strict=True)),
        "base": "base",
    },
    "ties": {
        "method": "ties",
        "models": dict(zip(BOTH, SHARES, strict=True)),
        "base": "base",
        "density": 0.305,
    },
    "ties, taken away": {
        "method": "ties",
        "models": {"a": 1.0, "b": -0.4},
        "base": "base",
        "density": 0.7,
    },
}
STACK = (("base", 0, 2), ("a", 1, 2))
"""The blocks of a stack: a model's, from the first to before the second number."""


def write_models(directory: Path) -> None:
    """The same on every machine."""
    for seed, (name, far) in enumerate(MODELS.items()):
        path = directory / name
        path.mkdir()
        config = LlamaConfig(
            vocab_size=write_tokenizer(path),
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=64,
            tie_word_embeddings=False,
        )
        config.architectures = ["LlamaForCausalLM"]
        config.save_pretrained(path)
        shapes = {n: p.shape for n, p in sorted(LlamaForCausalLM(config).named_parameters())}
        same, own = np.random.default_rng(0), np.random.default_rng(seed)
        tensors = {n: same.normal(size=s) + far * own.normal(size=s) for n, s in shapes.items()}
        single = {n: torch.from_numpy(t.astype(np.float32)) for n, t in tensors.items()}
        save_file(single, path / "model.safetensors", metadata={"format": "pt"})


def tensors() -> list[torch.Tensor]:
    """A base and two that were tuned from it."""
    rng = np.random.default_rng(1)
    base, *tasks = (torch.from_numpy(rng.normal(size=(8, 12)).astype(np.float32)) for _ in range(3))
    return [base, *(base + task for task in tasks)]


def print_of(tensor: torch.Tensor) -> list[float]:
    """Two numbers that change when any of its own does."""
    flat = tensor.double().flatten()
    return [float(flat @ torch.arange(len(flat)).double().cos()), float(flat.norm())]


def theirs(ours: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Our recipe as mergekit's."""
    method = ours["method"]

    def model(name: str, **parameters: float) -> dict[str, Any]:
        return {"model": str(directory / name), "parameters": parameters}

    recipe: dict[str, Any] = {"merge_method": method, "dtype": "float32"}
    if method == "slerp":
        first, _ = ours["models"]
        recipe |= {"base_model": str(directory / first), "parameters": {"t": ours["share"]}}
        return recipe | {"models": [model(name) for name in ours["models"]]}
    if "base" in ours:
        recipe["base_model"] = str(directory / ours["base"])
    density = {"density": ours["density"]} if "density" in ours else {}
    return recipe | {"models": [model(n, weight=w, **density) for n, w in ours["models"].items()]}


def run(recipe: dict[str, Any], directory: Path) -> dict[str, list[float]]:
    """What mergekit writes."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    with tempfile.TemporaryDirectory(dir=directory) as out:
        run_merge(MergeConfiguration.model_validate(recipe), out, MergeOptions(quiet=True))
        found = {
            n: t for file in Path(out).glob("*.safetensors") for n, t in load_file(file).items()
        }
    return {name: print_of(tensor) for name, tensor in sorted(found.items())}


def dare() -> list[float]:
    """Linear DARE, with our random numbers."""
    from mergekit.merge_methods import merge_tensors

    generator = torch.Generator().manual_seed(SEED)
    torch.bernoulli = lambda p: (torch.rand(p.shape, generator=generator) < p).float()
    weights = {"weight": list(SHARES), "density": [DENSITY] * 2}
    return print_of(merge_tensors(tensors(), "dare_linear", parameters=weights, base_index=0))


def main() -> None:
    with tempfile.TemporaryDirectory() as path:
        directory = Path(path)
        write_models(directory)
        found = {name: run(theirs(ours, directory), directory) for name, ours in OURS.items()}
        slices = [
            {"sources": [{"model": str(directory / name), "layer_range": [first, end]}]}
            for name, first, end in STACK
        ]
        recipe = {"merge_method": "passthrough", "dtype": "float32", "slices": slices}
        found["stack"] = run(recipe, directory)
    found["dare"] = {"tensor": dare()}
    (HERE / "mergekit.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
