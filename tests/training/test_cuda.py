"""Training on a GPU: what a processor computes, the same bits each time, from start to artifact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.inference import Engine
from openhearth.models import Attention, Ragged, load_adapter, load_model
from openhearth.models.mixers import varlen
from openhearth.models.mixers.attention import GroupedQueryAttention
from openhearth.models.ragged import Piece
from openhearth.store import Store
from openhearth.training import TrainRecipe, carry_out, memory
from openhearth.training.compiled import compile_parts
from openhearth.training.loop import Job, train
from tests.training.jobs import make_job, make_recipe
from tests.training.sources import examples
from tests.training.test_loop import KINDS, Stopped, result, stop_at

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def job(fields: dict[str, Any], device: str = "cuda") -> Job:
    return make_job(make_recipe(**fields), heldout=examples([30] * 4, seed=9), device=device)


@pytest.mark.parametrize("kind", ["whole", "muon", "accumulated"])
def test_the_first_steps_are_those_of_a_processor(kind: str, tmp_path: Path) -> None:
    fields = KINDS[kind] | {"tokens": 500}
    runs = [train(job(fields, device), tmp_path / device) for device in ("cpu", "cuda")]
    for one, other in zip(*[run.steps for run in runs], strict=True):
        # Muon on a GPU iterates in bfloat16.
        assert other.loss == pytest.approx(one.loss, rel=0.02 if kind == "muon" else 1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recompute", [False, True])
def test_a_stopped_run_goes_on_to_the_same_bits(kind: str, recompute: bool, tmp_path: Path) -> None:
    fields = KINDS[kind] | {"recompute": recompute}
    whole = job(fields)
    expected = result(whole, train(whole, tmp_path / "whole"))
    with pytest.raises(Stopped):
        train(job(fields), tmp_path / "broken", stop_at(9))
    resumed = job(fields)
    found = result(resumed, train(resumed, tmp_path / "broken"))
    assert found["history"].device.type == "cpu"
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_compiled_layers_compute_the_same(tmp_path: Path) -> None:
    plain, compiled = job({"dtype": "bfloat16"}), job({"dtype": "bfloat16"})
    compile_parts(compiled.model, adapted=False)
    runs = [train(made, tmp_path / str(i)) for i, made in enumerate((plain, compiled))]
    for one, other in zip(*[run.steps for run in runs], strict=True):
        assert other.loss == pytest.approx(one.loss, rel=0.02)


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("causal", [True, False])
def test_pieces_in_one_call_are_pieces_one_by_one(
    causal: bool, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    config = Attention(heads=4, kv_heads=2, head_dim=16, causal=causal, window=window)
    layer = GroupedQueryAttention(config, 32, 1e-6).to("cuda", torch.bfloat16)
    for parameter in layer.parameters():
        parameter.data.normal_(std=0.3)
    x = torch.randn(47, 32, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    found = []
    for together in (True, False):
        with torch.device("cuda"):
            out = layer(x, Ragged([Piece(n) for n in (1, 20, 3, 23)]), None)
        (gradient,) = torch.autograd.grad(out.square().sum(), x)
        found.append((out.float(), gradient.float()))
        assert varlen.pays(torch.zeros(1, 4, 16, dtype=torch.bfloat16, device="cuda")) == together
        monkeypatch.setattr(varlen, "pays", lambda q: False)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=0.02 * other.abs().max().item(), rtol=0.02)


def test_the_memory_is_that_of_the_gpu() -> None:
    made = job({})
    free = torch.cuda.mem_get_info()[0]
    assert memory.available(made.model.device) == pytest.approx(free, rel=0.1)
    assert memory.needed(made) > 0


@pytest.mark.parametrize("adapter", [{"rank": 4, "dropout": 0.1}, None])
def test_a_recipe_becomes_an_artifact_that_is_served(
    adapter: dict[str, Any] | None, tiny_model_home: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.jsonl"
    rows = [{"prompt": f"number {i}?", "completion": f"The number is {i}."} for i in range(40)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = Store(tiny_model_home)
    fields: dict[str, Any] = {"model": "tiny", "data": str(data), "adapter": adapter, "name": "new"}
    fields |= {"epochs": 4, "optimizer": {"learning_rate": 0.01}}
    fields |= {"evaluation": {"every": 5, "prompts": ["number 3?"]}}
    made = carry_out(store, TrainRecipe.parse(fields))
    history = json.loads(made.path("history.json").read_bytes())
    assert history[-1]["loss"] < history[0]["loss"]
    model = load_model(store.get("tiny" if adapter else "new"), "float32")
    if adapter:
        load_adapter(model, made, "new")
    assert all(p.device.type == "cpu" for p in model.parameters())
    with Engine("new", store=store, executor="torch", kv_memory=2**22) as engine:
        assert engine.generate("number 3?", max_tokens=4, temperature=0).usage.completion_tokens
