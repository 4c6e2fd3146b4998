"""Quantising: what comes out loads everywhere, and its report is true."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from openhearth.errors import UsageError
from openhearth.inference import Engine
from openhearth.models import Piece, Ragged, import_model, load_model
from openhearth.models.quantize import TARGETS, Report, quantize
from openhearth.store import Artifact, Store
from tests.conftest import make_adapter, write_model

WIDE = {"hidden_size": 256, "intermediate_size": 512, "num_key_value_heads": 4}
ERRORS = {
    "int8": 0.006,
    "q8_0": 0.006,
    "q6_k": 0.02,
    "q5_1": 0.045,
    "q5_0": 0.045,
    "q4_k_m": 0.075,
    "q4_1": 0.085,
    "q4_0": 0.09,
}
"""Most that a matrix of normal numbers may be off."""
TEXT = "The quick brown fox jumps over the lazy dog. " * 8


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A model whose rows are whole blocks of all types."""
    directory = tmp_path_factory.mktemp("wide")
    return import_model(Store(directory / "home"), write_model(directory, **WIDE))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, small_directory: Path) -> Artifact:
    """One whose rows are no whole blocks of K-quants."""
    return import_model(Store(tmp_path_factory.mktemp("small")), small_directory)


def quantised(model: Artifact, to: str, text: str | None = TEXT) -> Artifact:
    return quantize(model.store, model, to, text=text)


@pytest.mark.parametrize("to", ERRORS)
def test_the_reader_of_the_format_finds_the_weights(to: str, wide: Artifact) -> None:
    made = quantised(wide, to)
    report = Report.of(made)
    tensors = gguf.GGUFReader(made.path("model.gguf")).tensors
    counts: dict[str, int] = {}
    for tensor in tensors:
        counts[tensor.tensor_type.name] = counts.get(tensor.tensor_type.name, 0) + 1
    assert counts == report.types
    assert sum(int(tensor.n_bytes) for tensor in tensors) == report.after.bytes
    (up,) = (t for t in tensors if t.name == "blk.0.ffn_up.weight")
    meant = load_model(wide, "float32").state_dict()["blocks.0.channel.up.weight"].numpy()
    off = gguf.dequantize(up.data, up.tensor_type) - meant
    assert np.linalg.norm(off) / np.linalg.norm(meant) < ERRORS[to]
    assert report.instead == {}
    assert not report.requantized


def test_these_are_all() -> None:
    assert ERRORS.keys() == TARGETS.keys()


def test_fewer_bits_cost_more(wide: Artifact) -> None:
    reports = {to: Report.of(quantised(wide, to)) for to in ("q8_0", "q6_k", "q4_k_m", "q4_0")}
    kls = [report.kl for report in reports.values()]
    bits = [report.after.bits for report in reports.values()]
    assert kls == sorted(kls)
    assert bits == sorted(bits, reverse=True)
    assert all(report.before.bits == 32 for report in reports.values())
    worst = reports["q4_0"].worst
    assert [each.error for each in worst] == sorted((e.error for e in worst), reverse=True)
    assert {each.type for each in worst} == {"Q4_0"}


def test_the_report_is_in_the_manifest_with_its_text_in_the_recipe(wide: Artifact) -> None:
    made = quantised(wide, "q4_0")
    metrics = json.loads(made.manifest.to_bytes())["metrics"]
    assert metrics["parameters"] == wide.manifest.metrics["parameters"]
    assert metrics["quantized"]["kl"] == Report.of(made).kl
    assert made.manifest.inputs == {"model": wide.digest}
    assert made.manifest.license == ("apache-2.0",)
    assert quantised(wide, "q4_0").digest == made.digest
    assert quantised(wide, "q4_0", "Other words, and more of them.").digest != made.digest


def test_int8_is_q8_0(wide: Artifact) -> None:
    assert quantised(wide, "int8").digest == quantised(wide, "q8_0").digest


def test_without_a_text_it_is_our_own(small: Artifact) -> None:
    assert Report.of(quantised(small, "q8_0", None)).tokens == 2048


@pytest.mark.parametrize("to", ["q8_0", "q4_k_m", "q4_0"])
def test_the_engine_computes_with_it(to: str, small: Artifact, wide: Artifact) -> None:
    for model in (small, wide):
        made, ids = quantised(model, to), list(range(20, 60))
        model.store.tag(to, made.digest)
        expected = load_model(made, "float32")
        with torch.inference_mode():
            hidden = expected(torch.tensor(ids), Ragged([Piece(len(ids))]))
            meant = expected.logits(hidden).numpy()
        with Engine.open(model.store, [to]) as engine:
            found = engine.logits(ids)
        assert np.corrcoef(found.ravel(), meant.ravel())[0, 1] > 0.99


def test_rows_that_are_no_whole_blocks_are_told(small: Artifact, tmp_path: Path) -> None:
    report = Report.of(quantised(small, "q4_k_m"))
    assert report.instead == {"Q8_0": report.types["Q8_0"], "Q5_0": report.types["Q5_0"]}
    assert report.types.keys() == {"Q8_0", "Q5_0", "F32"}
    shape = {"hidden_size": 64, "intermediate_size": 72, "num_attention_heads": 2}
    odd = import_model(small.store, write_model(tmp_path, **shape))
    report = Report.of(quantised(odd, "q4_0"))
    assert report.instead == {"Q8_0": 1, "F16": 2}  # the head, and the rows of 72 numbers


def test_no_gain_is_refused(wide: Artifact) -> None:
    four = quantised(wide, "q4_0")
    for to in ("q8_0", "q4_1", "q4_0"):
        with pytest.raises(UsageError, match=rf"4\.\d+ bits a weight, and as {to} would"):
            quantised(four, to)
    again = Report.of(quantised(quantised(wide, "q8_0"), "q4_0"))
    assert again.requantized
    assert again.before.bits == pytest.approx(8.5, abs=0.1)


def test_what_cannot_be_compared_is_refused(
    tiny_directory: Path, encoder_directory: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    tiny = import_model(store, tiny_directory)
    make_adapter(store, tiny, "bot")
    before = len(store.artifacts())
    with pytest.raises(UsageError, match="adapter: merge it into its base"):
        quantised(store.get("bot"), "q8_0")
    with pytest.raises(UsageError, match="one of int8, q8_0"):
        quantised(tiny, "q3_k")
    with pytest.raises(UsageError, match="fewer than two tokens"):
        quantised(tiny, "q8_0", "")
    assert len(store.artifacts()) == before
    with pytest.raises(UsageError, match="encoder"):
        quantised(import_model(store, encoder_directory), "q8_0")


def test_what_fails_leaves_nothing(tiny_directory: Path, tmp_path: Path) -> None:
    for file in tiny_directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = 1e8
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = import_model(Store(tmp_path / "home"), tmp_path)
    with pytest.raises(UsageError, match=r"blocks\.1\.channel\.up\.weight .* too large for Q8_0"):
        quantised(model, "q8_0")
    assert model.store.artifacts() == [model]
    assert not list((model.store.root / "tmp").iterdir())
