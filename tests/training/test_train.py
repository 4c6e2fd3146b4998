"""Recipes to artifacts: every objective, whole models and adapters, versions that go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.data.corpus import store_corpus
from openhearth.data.schema import Corpus, Part, document
from openhearth.data.schema import Rows as Block
from openhearth.errors import UsageError
from openhearth.models import Piece, Ragged, load_adapter, load_model, pull
from openhearth.progress import silent
from openhearth.store import Artifact, Store, lineage
from openhearth.training import TrainRecipe, carry_out
from tests.training.jobs import CONFIG

FEW: dict[str, Any] = {
    "model": "tiny",
    "epochs": 3,
    "batch_tokens": 256,
    "dtype": "float32",
    "optimizer": {"learning_rate": 0.01},
}


def recipe(**fields: Any) -> TrainRecipe:
    return TrainRecipe.parse(FEW | fields)


def lines(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def questions(tmp_path: Path) -> str:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"number {i}?"},
                {"role": "assistant", "content": f"The number is {i}."},
            ]
        }
        for i in range(20)
    ]
    return lines(tmp_path / "questions.jsonl", rows)


@pytest.fixture
def preferences(tmp_path: Path) -> str:
    rows = [
        {"prompt": f"number {i}?", "chosen": f"It is {i}, sir.", "rejected": f"{i}!"}
        for i in range(20)
    ]
    return lines(tmp_path / "preferences.jsonl", rows)


def losses(artifact: Artifact) -> list[float]:
    return [step["loss"] for step in artifact.read_json("history.json")]


def test_an_adapter_of_a_file(store: Store, questions: str) -> None:
    made = carry_out(store, recipe(data=questions, name="mine"))
    assert made.kind == "adapter"
    assert losses(made)[-1] < losses(made)[0]
    assert store.get("mine") == made
    again = carry_out(store, recipe(data=questions))
    assert again == made


def test_a_whole_model_of_a_file_is_a_model_again(store: Store, questions: str) -> None:
    made = carry_out(store, recipe(data=questions, adapter=None))
    assert made.kind == "model"
    assert made.manifest.license == ("apache-2.0",)
    assert losses(made)[-1] < losses(made)[0]
    before, after = load_model(store.get("tiny"), "float32"), load_model(made, "float32")
    moved = [
        not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert all(moved)


def test_only_the_matrices_that_were_asked_for_are_adapted(store: Store, questions: str) -> None:
    made = carry_out(store, recipe(data=questions, adapter={"targets": ["q", "blocks.1.*"]}))
    model = load_model(store.get("tiny"), "float32")
    load_adapter(model, made, "x")
    adapted = set(model.adapter("x"))
    assert {p for p in adapted if p.startswith("blocks.0.")} == {"blocks.0.mixer.q"}
    assert len(adapted) == 1 + 7
    targets = made.read_json("adapter_config.json")["target_modules"]
    assert "model.layers.0.self_attn.q_proj" in targets
    by_family = carry_out(store, recipe(data=questions, adapter={"targets": ["q_proj"]}))
    ours = carry_out(store, recipe(data=questions, adapter={"targets": ["q"]}))
    assert by_family.path("adapter_model.safetensors") == ours.path("adapter_model.safetensors")
    with pytest.raises(UsageError, match="No matrix of the model matches nothing"):
        carry_out(store, recipe(data=questions, adapter={"targets": ["nothing"]}))


@pytest.mark.parametrize("gamma", [None, 0.5])
def test_preferences_make_the_chosen_answers_likelier(
    store: Store, preferences: str, gamma: float | None
) -> None:
    objective = {"name": "preference", "beta": 1.0, "gamma": gamma}
    made = carry_out(store, recipe(data=preferences, objective=objective, epochs=6))
    found = losses(made)
    if gamma is None:
        assert found[0] == pytest.approx(0.6931, abs=1e-3)  # nothing is preferred yet
        assert made.manifest.inputs["teacher"] == store.get("tiny").digest
    assert found[-1] < 0.8 * found[0]


def test_a_student_comes_nearer_to_its_teacher(store: Store, questions: str) -> None:
    taught = carry_out(store, recipe(data=questions, epochs=20, name="teacher"))
    assert taught.kind == "adapter"
    objective = {"name": "distill", "teacher": "teacher", "mix": 1.0}
    made = carry_out(store, recipe(data=questions, objective=objective, epochs=10))
    assert losses(made)[-1] < 0.7 * losses(made)[0]
    assert made.manifest.inputs["teacher"] == taught.digest


def test_an_encoder_learns_what_belongs_together(
    store: Store, encoder_directory: Path, tmp_path: Path
) -> None:
    pull(store, str(encoder_directory), name="encoder")
    pairs = [{"anchor": f"the {n} fox", "positive": f"{n} number"} for n in "abcdefghij"]
    data = lines(tmp_path / "pairs.jsonl", pairs)
    made = carry_out(
        store,
        recipe(model="encoder", data=data, objective={"name": "contrast"}, adapter=None, epochs=30),
    )
    assert made.kind == "model"
    assert losses(made)[-1] < 0.5 * losses(made)[0]


def make_texts(store: Store) -> Artifact:
    texts = ["The quick brown fox jumps over the lazy dog. " * 3, "Return the sum of two numbers. "]
    rows = [document(str(i), texts[i % 2] * 2, "here") for i in range(30)]
    corpus = Corpus("memory", "texts", [Part("0", lambda _: [Block(rows)])])
    return store_corpus(store, corpus, "texts", None, silent)


def test_a_new_model_learns_plain_text(store: Store) -> None:
    texts = make_texts(store)
    config = CONFIG.model_copy(update={"vocab_size": 320}).model_dump(mode="json")
    made = carry_out(
        store,
        recipe(
            model=config,
            tokenizer="tiny",
            data=texts.digest,
            objective={"name": "next_token"},
            max_tokens=64,
            epochs=20,
            schedule={"kind": "wsd"},
            optimizer={"name": "muon", "learning_rate": 0.02},
        ),
    )
    assert losses(made)[-1] < 0.3 * losses(made)[0]
    model = load_model(made, "float32")
    ids = torch.arange(20)
    assert model(ids, Ragged([Piece(20)])).isfinite().all()
    assert made.manifest.metrics["parameters"] == sum(p.numel() for p in model.parameters())


def test_a_version_goes_on_from_the_one_before(store: Store, questions: str) -> None:
    first = carry_out(store, recipe(data=questions, name="me/bot:1", epochs=10))
    second = carry_out(store, recipe(**{"model": None, "from": "me/bot:1"}, data=questions, seed=1))
    assert second.manifest.inputs["from"] == first.digest
    assert losses(second)[0] < 0.9 * losses(first)[0]
    assert first.digest in {node.artifact.digest for node in lineage(second).walk()}
    whole = carry_out(store, recipe(data=questions, adapter=None))
    third = carry_out(
        store,
        recipe(**{"model": None, "from": whole.digest}, data=questions, adapter=None, seed=1),
    )
    assert losses(third)[0] < losses(whole)[0]


@pytest.mark.parametrize("dora", [False, True])
def test_an_untouched_version_is_the_version(store: Store, questions: str, dora: bool) -> None:
    """Going on loses nothing: with a rate of nearly zero the adapter stays what it was."""
    first = carry_out(store, recipe(data=questions, adapter={"dora": dora}))
    still = {"learning_rate": 1e-12}
    second = carry_out(
        store, recipe(**{"model": None, "from": first.digest}, data=questions, optimizer=still)
    )
    ids, batch = torch.arange(20, 60), Ragged([Piece(40, adapter="x")])
    found = []
    for artifact in (first, second):
        model = load_model(store.get("tiny"), "float32")
        load_adapter(model, artifact, "x")
        found.append(model(ids, batch))
    torch.testing.assert_close(found[0], found[1])


def test_evaluations_are_kept(store: Store, questions: str) -> None:
    watch = {"every": 2, "prompts": ["number 3?"], "sample_tokens": 5}
    made = carry_out(store, recipe(data=questions, heldout=questions, evaluation=watch))
    found = made.read_json("evaluations.json")
    assert [e["step"] for e in found][:2] == [2, 4]
    assert found[-1]["loss"] < found[0]["loss"]
    assert made.manifest.metrics["heldout_bits_per_byte"] == found[-1]["bits_per_byte"]
    assert len(found[-1]["samples"]) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"objective": {"name": "preference"}}, "is of the format `messages`"),
        ({"from": "tiny"}, "is no adapter"),
        ({"objective": {"name": "distill", "teacher": "encoder"}}, "another tokenizer"),
        ({"model": "encoder"}, "This model is an encoder"),
    ],
)
def test_what_does_not_fit_is_refused(
    store: Store, questions: str, encoder_directory: Path, fields: dict[str, Any], said: str
) -> None:
    pull(store, str(encoder_directory), name="encoder")
    with pytest.raises(UsageError, match=said):
        carry_out(store, recipe(data=questions, **fields))


def test_a_tokenizer_that_does_not_fit_is_refused(store: Store, questions: str) -> None:
    small = CONFIG.model_dump(mode="json")  # knows 64 tokens
    with pytest.raises(UsageError, match="but the model knows 64"):
        carry_out(store, recipe(model=small, tokenizer="tiny", data=questions))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": None}, "name a model, or a version"),
        ({"model": CONFIG}, "a new model needs a tokenizer"),
        ({"model": CONFIG, "tokenizer": "t", "adapter": {}}, "nothing to adapt"),
        ({"model": CONFIG, "tokenizer": "t", "from": "x"}, "not both"),
        ({"objective": {"name": "guess"}}, "objective"),
        ({"batch_token": 3}, "at batch_token: there is no such field"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recipe(data="x", **fields)
