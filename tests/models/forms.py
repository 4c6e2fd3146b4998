"""What every model that writes must hold: its logits, however a text is cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.models.export import export_directory
from openhearth.models.stored import config_of
from openhearth.store import Artifact, Store
from tests.conftest import write_tokenizer

PAGE = 8


def both(
    name: str, settings: dict[str, Any], tmp_path: Path, config: str | None = None
) -> tuple[Model, transformers.PreTrainedModel]:
    """`name`ForCausalLM with these settings, and ours from what it wrote."""
    vocabulary = write_tokenizer(tmp_path)
    described = getattr(transformers, config or f"{name}Config")(vocab_size=vocabulary, **settings)
    theirs = getattr(transformers, f"{name}ForCausalLM")(described).eval()
    save(theirs, tmp_path)
    return load_model(imported(tmp_path), "float32"), theirs


def imported(directory: Path) -> Artifact:
    """What we make of a directory, in a store inside it."""
    return import_model(Store(directory / "home"), directory)


def save(theirs: transformers.PreTrainedModel, directory: Path) -> None:
    """Give a model random weights and write it."""
    torch.manual_seed(0)
    for weight in theirs.state_dict().values():  # norms and some biases are not random by default
        if weight.is_floating_point():
            torch.nn.init.normal_(weight, std=0.2)
    theirs.save_pretrained(directory)
    if theirs.config.model_type == "olmo_hybrid":
        _name_as_published(directory / "model.safetensors")


def _name_as_published(path: Path) -> None:
    """`transformers` 5.23 reads OLMo-hybrid as it is published, but writes one name as another."""
    weights = load_file(path)
    wrong, right = "feedforward_layer_norm", "post_attention_layernorm"
    after = "post_feedforward_layernorm"  # which only blocks with attention have
    for name in [n for n in weights if wrong in n and n.replace(wrong, after) in weights]:
        weights[name.replace(wrong, right)] = weights.pop(name)
    save_file(weights, path, metadata={"format": "pt"})


def tokens(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 300, (count,), generator=torch.Generator().manual_seed(seed))


def logits(model: Model, ids: torch.Tensor) -> torch.Tensor:
    """Those of a whole text, [length, vocab_size]."""
    return model.logits(model(ids, Ragged([Piece(len(ids))])))


def in_pieces(model: Model, ids: torch.Tensor, cuts: Sequence[int]) -> torch.Tensor:
    """Those of a text that comes in pieces, over states where other texts were before."""
    count = -(-len(ids) // PAGE)
    states, done, parts = model.new_states(count + 1, PAGE, slots=3), 0, []
    other = Piece(5, 0, pages=[count], slot=1)
    model(tokens(5, seed=9), Ragged([other]), states)
    for cut in cuts:
        pages = list(reversed(range(count)))[: -(-(done + cut) // PAGE)]
        piece = Piece(cut, done, pages=pages, slot=1)
        parts.append(model.logits(model(ids[done : done + cut], Ragged([piece]), states)))
        done += cut
    return torch.cat(parts)


@torch.inference_mode()
def check_forms(model: Model, *, tolerance: float = 1e-4) -> None:
    """Each way to cut a text gives what the whole does, and so does company."""
    ids = tokens(40)
    whole = logits(model, ids)
    for cuts in ([40], [1] * 40, [13, 1, 1, 20, 5], [1, 39]):
        torch.testing.assert_close(in_pieces(model, ids, cuts), whole, atol=tolerance, rtol=0)
    pieces = Ragged([Piece(9), Piece(40), Piece(1)])
    beside = model(torch.cat((tokens(9, 1), ids, tokens(1, 2))), pieces)[9:49]
    torch.testing.assert_close(model.logits(beside), whole, atol=tolerance, rtol=0)


@torch.inference_mode()
def check_parity(ours: Model, theirs: transformers.PreTrainedModel) -> None:
    """Logits are theirs, in every form."""
    ids = tokens(150)
    expected = theirs(ids[None]).logits[0]
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    torch.testing.assert_close(logits(ours, ids), expected, atol=1e-4, rtol=0)
    check_forms(ours)


@torch.inference_mode()
def check_written(
    artifact: Artifact, theirs: transformers.PreTrainedModel | None, target: Path
) -> Artifact:
    """A model written to `target` is read by `transformers`, if it knows such, and by us."""
    export_directory(artifact, target)
    if theirs is not None:
        ids = tokens(60)[None]
        if theirs.can_generate():
            kind: Any = transformers.AutoModelForCausalLM
        else:  # only the encoder, of those that have a head
            kind, theirs = transformers.AutoModel, theirs.base_model
        again = kind.from_pretrained(target, dtype=torch.float32).eval()
        torch.testing.assert_close(again(ids)[0], theirs(ids)[0], atol=1e-4, rtol=0)
    back = import_model(Store(target.parent / "back"), target)
    family = {"family": config_of(back).family}  # which may be another if the layers are the same
    assert config_of(back) == config_of(artifact).model_copy(update=family)
    ours, before = load_model(back, "float32"), load_model(artifact, "float32")
    torch.testing.assert_close(ours.state_dict(), before.state_dict(), atol=1e-6, rtol=0)
    return back
