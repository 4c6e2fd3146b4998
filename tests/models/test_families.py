"""The table of families in the docs: each of its cells is a test here, on random weights.

Logits are those of `transformers` to 1e-4 in fp32, of StripedHyena those of its equations; of an
encoder it is the hidden states.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
import transformers

from openhearth.inference import Engine
from openhearth.inference.encoder import open_encoder
from openhearth.inference.executor import Work, open_executor
from openhearth.inference.native import NoKernel, _engine
from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.models.families import FAMILIES as READ
from openhearth.store import Artifact, Store
from tests.conftest import write_tokenizer
from tests.models import test_stripedhyena as hyena
from tests.models.families import (
    ANSWERS,
    CHUNKS,
    FAMILIES,
    KERNELS,
    PAGE,
    SINGLE,
    WHOLE,
    WRITTEN,
    YES,
    having,
    table,
)
from tests.models.forms import check_written, in_pieces, save, tokens

IDS = tokens(40)
ENDS = [2, 4]  # the tokens that end an answer
LENGTH = 8  # of an answer


class Reference(Protocol):
    """Who says what is right."""

    def outputs(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits, or hidden states of an encoder, of a text [length]."""

    def answer(self, ids: torch.Tensor) -> list[int]:
        """The likeliest next tokens, without those that end it."""


@dataclass(frozen=True)
class Theirs:
    model: transformers.PreTrainedModel

    def outputs(self, ids: torch.Tensor) -> torch.Tensor:
        model = self.model if self.model.can_generate() else self.model.base_model
        made = model(ids[None])
        return (made.logits if self.model.can_generate() else made.last_hidden_state)[0]

    def answer(self, ids: torch.Tensor) -> list[int]:
        made = self.model.generate(
            ids[None],
            max_new_tokens=LENGTH,
            do_sample=False,
            suppress_tokens=ENDS,
            eos_token_id=ENDS,
            pad_token_id=0,
        )
        return made[0, len(ids) :].tolist()


@dataclass(frozen=True)
class Equations:
    model: hyena.Slow

    def outputs(self, ids: torch.Tensor) -> torch.Tensor:
        return self.model.logits(ids).float()

    def answer(self, ids: torch.Tensor) -> list[int]:
        for _ in range(LENGTH):
            last = self.model.logits(ids)[-1]
            last[ENDS] = -torch.inf
            ids = torch.cat((ids, last.argmax()[None]))
        return ids[-LENGTH:].tolist()


@dataclass(frozen=True)
class Both:
    """A model of a family, and who says what is right; with the outputs for `IDS`."""

    name: str
    artifact: Artifact
    ours: Model
    theirs: Reference
    expected: torch.Tensor


@pytest.fixture(scope="module")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    name, directory = request.param, tmp_path_factory.mktemp("family")
    theirs = striped_hyena(directory) if name.startswith("Striped") else made(name, directory)
    artifact = import_model(Store(directory / "home"), directory)
    with torch.inference_mode():
        expected = theirs.outputs(IDS)
    assert expected.std() > 0.05  # a comparison would mean nothing between zeros
    return Both(name, artifact, load_model(artifact, "float32"), theirs, expected)


def made(name: str, directory: Path) -> Theirs:
    family, kind = FAMILIES[name], getattr(transformers, name)
    config = getattr(transformers, family.config) if family.config else kind.config_class
    settings: dict[str, Any] = dict(family.settings)
    text = settings["text_config"] = dict(settings.get("text_config", settings))
    text["vocab_size"] = write_tokenizer(directory)
    model = kind(config(**(settings if "vision_config" in settings else text))).eval()
    save(model, directory)
    return Theirs(model)


def striped_hyena(directory: Path) -> Equations:
    return Equations(hyena.write(hyena.CONFIG, directory))


def families(column: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("both", having(column), indirect=True, scope="module")


def check(found: torch.Tensor, both: Both) -> None:
    torch.testing.assert_close(found, both.expected, atol=1e-4, rtol=0)


@families(WHOLE)
@torch.inference_mode()
def test_a_whole_text(both: Both) -> None:
    hidden = both.ours(IDS, Ragged([Piece(len(IDS))]))
    check(both.ours.logits(hidden) if both.ours.config.causal else hidden, both)


@families(CHUNKS)
@torch.inference_mode()
def test_chunks(both: Both) -> None:
    check(in_pieces(both.ours, IDS, [13, 1, 1, 20, 5]), both)


@families(SINGLE)
@torch.inference_mode()
def test_token_by_token(both: Both) -> None:
    check(in_pieces(both.ours, IDS, [1] * len(IDS)), both)


@families(ANSWERS)
def test_answers(both: Both) -> None:
    """Of the engine, by the executor that it chooses."""
    store = both.artifact.store
    store.tag("it", both.artifact.digest)
    ban = dict.fromkeys(ENDS, -100.0)
    options: dict[str, Any] = {"max_tokens": LENGTH, "temperature": 0.0, "logit_bias": ban}
    with Engine("it", store=store, dtype="float32", kv_memory=2**22) as engine:
        assert engine.generate(IDS.tolist(), **options).tokens == both.theirs.answer(IDS)


@families(WRITTEN)
def test_a_directory_is_written(both: Both, tmp_path: Path) -> None:
    """It is read by `transformers`, if that has the family, and by us."""
    model = both.theirs.model if isinstance(both.theirs, Theirs) else None
    check_written(both.artifact, model, tmp_path / "out")
    raw = (tmp_path / "out" / "config.json").read_text()
    assert f'"{FAMILIES[both.name].written_as(both.name)}"' in raw


@pytest.mark.skipif(_engine is None, reason="the extension was not built")
@families(KERNELS)
def test_kernels(both: Both) -> None:
    """There are some, or it is said that the torch executor computes the family."""
    if FAMILIES[both.name].cell(KERNELS) == YES:
        check(native(both), both)
        return
    with pytest.raises(NoKernel, match="torch executor"):
        native(both)


def native(both: Both) -> torch.Tensor:
    """What the native executor makes of `IDS`."""
    if not both.ours.config.causal:
        encoder = open_encoder("native", both.artifact, dtype="float32")
        return torch.from_numpy(encoder.hidden([IDS.tolist()]))
    executor = open_executor("native", both.artifact, memory=2**22, dtype="float32")
    work = Work(IDS.tolist(), 0, [1, 0], wanted=len(IDS), slot=0)
    return torch.from_numpy(executor.step([work]))


def test_every_family_is_in_the_table_and_the_table_in_the_docs() -> None:
    assert FAMILIES.keys() == READ.keys()
    assert f"\n\n{table()}\n\n" in (Path(__file__).parents[2] / PAGE).read_text()
