"""StripedHyena: a directory in the layout of its checkpoints computes what its equations say.

The equations are those of github.com/togethercomputer/stripedhyena (Apache-2.0), written here anew:
in float64, convolutions and attention a term at a time.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from openhearth.errors import UsageError
from openhearth.models import import_model, load_model
from openhearth.models.families import read_config
from openhearth.models.names import HF, translate
from openhearth.store import Store
from tests.conftest import write_tokenizer
from tests.models.forms import check_forms, check_written, logits, tokens
from tests.models.mixers.slow import long_conv, short_conv

WIDTH, HEADS, STATES, INNER = 32, 4, 3, 128
CONFIG: dict[str, Any] = {
    "architectures": ["StripedHyenaModelForCausalLM"],
    "hidden_size": WIDTH,
    "num_filters": WIDTH,
    "attn_layer_idxs": [1],
    "hyena_layer_idxs": [0, 2],
    "num_layers": 3,
    "short_filter_length": 3,
    "num_attention_heads": HEADS,
    "short_filter_bias": True,
    "eps": 1e-3,
    "state_size": STATES,
    "rotary_emb_base": 5000,
    "proj_groups": 2,
    "hyena_filter_groups": 1,
    "column_split_hyena": True,
    "tie_embeddings": False,
    "mha_out_proj_bias": False,
    "qkv_proj_bias": False,
    "max_seqlen": 128,
    "final_norm": True,
    "use_flash_rmsnorm": False,
}
BIASED = {"qkv_proj_bias": True, "mha_out_proj_bias": True, "proj_groups": 1}
KINDS = {
    "as published": {},
    "three blocks of channels": {"column_split_hyena": False, "use_flash_rmsnorm": True},
    "biases, stretched": BIASED
    | {"use_interpolated_rotary_pos_emb": True, "rotary_emb_scaling_factor": 4.0},
}


def weights(config: dict[str, Any], vocabulary: int) -> dict[str, torch.Tensor]:
    """Random ones, by their names in a checkpoint."""
    keys = WIDTH // config["proj_groups"]
    shapes: dict[str, tuple[int, ...]] = {
        "embedding_layer.weight": (vocabulary, WIDTH),
        "norm.scale": (WIDTH,),
        "unembed.weight": (vocabulary, WIDTH),
    }
    for i in range(config["num_layers"]):
        block: dict[str, tuple[int, ...]] = {
            "pre_norm.scale": (WIDTH,),
            "post_norm.scale": (WIDTH,),
            "mlp.l1.weight": (INNER, WIDTH),
            "mlp.l2.weight": (INNER, WIDTH),
            "mlp.l3.weight": (WIDTH, INNER),
        }
        if i in config["attn_layer_idxs"]:
            block["inner_mha_cls.Wqkv.weight"] = (WIDTH + 2 * keys, WIDTH)
            block["inner_mha_cls.out_proj.weight"] = (WIDTH, WIDTH)
            block["inner_mha_cls.rotary_emb.inv_freq"] = (WIDTH // HEADS // 2,)
            if config["qkv_proj_bias"]:
                block["inner_mha_cls.Wqkv.bias"] = (WIDTH + 2 * keys,)
                block["inner_mha_cls.out_proj.bias"] = (WIDTH,)
        else:
            block["projections.weight"], block["projections.bias"] = (
                (3 * WIDTH, WIDTH),
                (3 * WIDTH,),
            )
            block["out_filter_dense.weight"], block["out_filter_dense.bias"] = (
                (WIDTH,) * 2,
                (WIDTH,),
            )
            block["filter.short_filter_weight"] = (3 * WIDTH, 1, 3)
            block["filter.short_filter_bias"] = (3 * WIDTH,)
            block["filter.D"] = (WIDTH,)
            block["filter.poles"] = block["filter.residues"] = (WIDTH, STATES, 1, 2)
        shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
    generator = torch.Generator().manual_seed(0)
    made = {n: 0.3 * torch.randn(shape, generator=generator) for n, shape in shapes.items()}
    for name, values in made.items():
        if name.endswith("poles"):  # stable ones, some of which remember the whole text
            draw = torch.rand(2, *values.shape[:-1], generator=generator)
            made[name] = torch.view_as_real(torch.polar(1 - draw[0].square(), 3 * draw[1]))
    return made


class Slow:
    """The model by its equations."""

    def __init__(self, config: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
        self.config, self.weights = config, {n: w.double() for n, w in weights.items()}

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        w, x = self.weights, self.weights["embedding_layer.weight"][ids]
        for i in range(self.config["num_layers"]):
            of = {n.removeprefix(f"blocks.{i}."): v for n, v in w.items() if f"blocks.{i}." in n}
            mixer = self.attention if i in self.config["attn_layer_idxs"] else self.gated_conv
            x = x + mixer(self.norm(x, of["pre_norm.scale"]), of)
            z = self.norm(x, of["post_norm.scale"])
            gate, up = z @ of["mlp.l1.weight"].T, z @ of["mlp.l2.weight"].T
            x = x + (gate * gate.sigmoid() * up) @ of["mlp.l3.weight"].T
        return self.norm(x, w["norm.scale"]) @ w["unembed.weight"].T

    def norm(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        eps, square = self.config["eps"], x.square().mean(-1, keepdim=True)
        if self.config["use_flash_rmsnorm"]:
            return x / (square + eps).sqrt() * scale
        return x / (square.sqrt() + eps) * scale

    def gated_conv(self, x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
        z = x @ w["projections.weight"].T + w["projections.bias"]
        z = short_conv(z, w["filter.short_filter_weight"], w["filter.short_filter_bias"])
        if self.config["column_split_hyena"]:
            x2, x1, v = z.view(len(x), HEADS, 3, -1).unbind(2)
        else:
            x2, x1, v = z.view(len(x), 3, HEADS, -1).unbind(1)
        x2, s = x2.reshape(len(x), -1), (x1 * v).reshape(len(x), -1)
        poles = torch.view_as_complex(w["filter.poles"])
        residues = torch.view_as_complex(w["filter.residues"])
        h = torch.stack([(residues * poles**t).real.sum(1)[:, 0] for t in range(len(x))])
        y = x2 * (long_conv(s, h) + w["filter.D"] * s)
        return y @ w["out_filter_dense.weight"].T + w["out_filter_dense.bias"]

    def attention(self, x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
        size, groups = WIDTH // HEADS, self.config["proj_groups"]
        made = x @ w["inner_mha_cls.Wqkv.weight"].T + w.get("inner_mha_cls.Wqkv.bias", 0)
        heads = made.view(len(x), -1, size)
        out = torch.empty(len(x), HEADS, size, dtype=x.dtype)
        for head in range(HEADS):
            key = HEADS + head // groups
            q, k = self.turn(heads[:, head]), self.turn(heads[:, key])
            v = heads[:, key + HEADS // groups]
            for t in range(len(x)):
                scores = (k[: t + 1] @ q[t] / math.sqrt(size)).exp()
                out[t, head] = scores @ v[: t + 1] / scores.sum()
        y = out.flatten(1) @ w["inner_mha_cls.out_proj.weight"].T
        return y + w.get("inner_mha_cls.out_proj.bias", 0)

    def turn(self, x: torch.Tensor) -> torch.Tensor:
        half = x.shape[1] // 2
        stretch = self.config.get("rotary_emb_scaling_factor", 1.0)
        y = torch.empty_like(x)
        for t in range(len(x)):
            for i in range(half):
                angle = t / stretch * self.config["rotary_emb_base"] ** (-i / half)
                a, b = x[t, i], x[t, i + half]
                y[t, i] = a * math.cos(angle) - b * math.sin(angle)
                y[t, i + half] = a * math.sin(angle) + b * math.cos(angle)
        return y


def write(config: dict[str, Any], directory: Path) -> Slow:
    """A directory with random weights, and what it should compute."""
    vocabulary = write_tokenizer(directory)
    made = weights(config, vocabulary)
    save_file({f"backbone.{n}": w for n, w in made.items()}, directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps(config | {"vocab_size": vocabulary}))
    return Slow(config, made)


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_computes_what_the_equations_say(kind: str, tmp_path: Path) -> None:
    config = CONFIG | KINDS[kind]
    slow = write(config, tmp_path)
    artifact = import_model(Store(tmp_path / "home"), tmp_path)
    model = load_model(artifact, "float32")
    ids = tokens(60)
    expected = slow.logits(ids)
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    torch.testing.assert_close(logits(model, ids).double(), expected, atol=1e-4, rtol=0)
    check_forms(model)
    check_written(artifact, None, tmp_path / "out")
    adapted = {translate(path, HF["stripedhyena"]) for path, _ in model.linears()}
    assert len(adapted) == len(list(model.linears()))  # q, k and v are three to adapters


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"num_filters": 4}, "shared filters"),
        ({"hyena_filter_groups": 2}, "hyena_filter_groups"),
        ({"mlp_activation": "gelu"}, "gelu"),
        ({"short_filter_bias": False}, "without short_filter_bias"),
        ({"eps": None}, "norm_eps"),
    ],
)
def test_settings_that_we_do_not_have_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read_config(CONFIG | {"vocab_size": 9} | settings)


def test_the_sizes_are_those_of_the_seven_billion() -> None:
    """StripedHyena-Hessian-7B: configs/7b-sh-32k-v1.yml."""
    seven = {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "num_filters": 4096,
        "num_layers": 32,
        "attn_layer_idxs": list(range(1, 32, 2)),
        "num_attention_heads": 32,
        "state_size": 2,
        "proj_groups": 4,
        "inner_mlp_size": 14336,
        "max_seqlen": 32768,
    }
    config = read_config(CONFIG | seven)
    conv, attention = config.blocks[0].mixer, config.blocks[1].mixer
    assert conv.state_shapes(4096) == {"tail": (2, 3 * 4096), "modes": (4096, 2, 2)}
    assert attention.numbers_per_token == 2 * 8 * 128
    del seven["inner_mlp_size"]
    assert read_config(CONFIG | seven).blocks[0].channel.hidden == 10944
