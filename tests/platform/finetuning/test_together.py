"""What Together's own client sends, seen in what is trained."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import together
from safetensors.numpy import load_file
from together.types.finetune_model_limits import FinetuneModelLimits

from openhearth.platform.errors import ApiError
from openhearth.platform.finetuning import Asked, TogetherJob, limits_of
from openhearth.store import Artifact, Store
from openhearth.training import TrainRecipe
from openhearth.training.preview import preview
from tests.platform.finetuning.conftest import Heard, steps, trained

FAST: dict[str, Any] = {
    "learning_rate": 0.01,
    "batch_size": 5,
    "packing": False,
    "max_seq_length": 128,
    "n_epochs": 2,
}
DPO: dict[str, Any] = {"training_file": "preferences", "training_method": "dpo"}


@pytest.fixture
def sent(tog: together.Together, heard: Heard, asked: Asked) -> Any:
    """The recipe of a request by the client."""

    def send(**parameters: Any) -> TrainRecipe:
        model = {} if "from_checkpoint" in parameters else {"model": "tiny"}
        tog.fine_tuning.create(**({"training_file": "questions"} | model | FAST | parameters))
        return TogetherJob.model_validate(heard.body).recipe(asked)

    return send


@pytest.fixture
def made(sent: Any, asked: Asked) -> Any:
    """What a request by the client makes."""
    return lambda **parameters: trained(asked, sent(**parameters))


def weights(artifact: Artifact) -> dict[str, np.ndarray]:
    return load_file(artifact.path("adapter_model.safetensors"))


def total(artifact: Artifact) -> float:
    return sum(float(np.square(w).sum()) for n, w in weights(artifact).items() if "lora_A" in n)


def test_limits_are_what_their_client_reads(store: Store) -> None:
    limits = limits_of("tiny", store.get("tiny"))
    theirs = FinetuneModelLimits.model_validate(limits.model_dump())
    assert theirs.api_model_name == "tiny"
    assert theirs.lora_training.target_modules == sorted(
        f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")
    )
    assert theirs.full_training
    assert theirs.full_training.max_batch_size == limits.full_training.max_batch_size


def test_what_is_left_out_is_as_documented(
    tog: together.Together, heard: Heard, asked: Asked
) -> None:
    tog.fine_tuning.create(training_file="questions", model="tiny")
    recipe = TogetherJob.model_validate(heard.body).recipe(asked)
    assert (recipe.epochs, recipe.clip, recipe.seed, recipe.stages) == (1, 1.0, 42, 1)
    assert recipe.optimizer.learning_rate == 1e-5
    assert recipe.optimizer.weight_decay == 0
    assert recipe.schedule.model_dump() | {"decay": 0} == {
        "kind": "cosine",
        "warm_up": 0.0,
        "min_ratio": 0.0,
        "cycles": 0.5,
        "decay": 0,
    }
    assert recipe.adapter is not None
    assert (recipe.adapter.rank, recipe.adapter.alpha) == (16, 32)
    assert recipe.adapter.targets == ("*",)
    assert recipe.objective.model_dump() == {"name": "sft", "train_on_inputs": "auto"}
    assert recipe.batch_examples is None
    assert recipe.batch_tokens == 16 * recipe.max_tokens
    assert recipe.evaluation.times is None
    assert recipe.name == "me/tiny-tuned"


def test_steps_are_epochs_of_batches(made: Any) -> None:
    assert len(steps(made())) == 2 * 20 / 5
    assert len(steps(made(gradient_accumulation_steps=2))) == 2 * 20 / 10
    packed = made(packing=True, batch_size=1, n_epochs=1)
    assert max(steps(packed, "tokens")) <= 128
    assert len(steps(packed)) == math.ceil(20 / 3)  # of 33 tokens, three fit into a row


def test_the_rate_rises_and_falls_as_asked(made: Any) -> None:
    linear = steps(made(lr_scheduler_type="linear", warmup_ratio=0.25, min_lr_ratio=0.5))
    assert linear[:2] == [0.5, 1.0]
    assert linear[2:] == sorted(linear[2:], reverse=True)
    assert linear[-1] == pytest.approx(0.5, abs=0.1)
    waves = steps(made(scheduler_num_cycles=1.5, n_epochs=6))
    # The formula of transformers' get_cosine_schedule_with_warmup, to half a step.
    expected = [0.5 * (1 + math.cos(3 * math.pi * (i + 1) / 25)) for i in range(24)]
    assert waves == pytest.approx(expected, abs=1e-6)


def test_the_learning_rate_and_what_holds_it_back(made: Any) -> None:
    plain = made(weight_decay=0.0)
    assert total(made(weight_decay=1.0)) < total(plain)
    slow = made(learning_rate=1e-5)
    assert steps(slow, "loss")[-1] > steps(plain, "loss")[-1]
    # AdamW divides by the gradient's size, so that clipping shows in digits only.
    assert made(max_grad_norm=1e-4) != made(max_grad_norm=0.0)


def test_an_adapter_of_this_shape(made: Any) -> None:
    adapter = made(
        lora=True, lora_r=4, lora_alpha=12, lora_dropout=0.1, lora_trainable_modules="q_proj,o_proj"
    )
    said = adapter.read_json("adapter_config.json")
    assert (said["r"], said["lora_alpha"], said["lora_dropout"]) == (4, 12, 0.1)
    assert said["target_modules"] == ["o_proj", "q_proj"]
    assert {min(w.shape) for w in weights(adapter).values()} == {4}


def test_all_weights(made: Any) -> None:
    assert made(lora=False).kind == "model"


def test_measurements_and_checkpoints_are_spread_evenly(made: Any, asked: Asked) -> None:
    result = made(n_evals=3, n_checkpoints=4, validation_file="held", suffix="My Bot")
    measured = result.read_json("evaluations.json")
    assert [found["step"] for found in measured] == [3, 6, 8]
    stages = result.manifest.metrics["stages"]
    assert list(stages) == ["2", "4", "6"]
    assert asked.store.get("me/tiny-my-bot:1") == result
    third = asked.store.get("me/tiny-my-bot:1-step-6")
    assert third.digest == stages["6"]
    assert third.manifest.metrics["heldout_loss"] == measured[1]["loss"]
    assert third.manifest.metrics["loss"] == steps(result, "loss")[5]


def test_a_job_goes_on_from_a_checkpoint(made: Any, sent: Any, asked: Asked) -> None:
    made(n_checkpoints=2, lora=True, lora_r=4)
    middle = asked.store.get("me/tiny-tuned:1-step-4")
    second = made(from_checkpoint="ft-1:4")
    assert second.manifest.inputs["from"] == middle.digest
    assert second.read_json("adapter_config.json")["r"] == 4
    assert sent(from_checkpoint="ft-1").start == "me/tiny-tuned:1"
    with pytest.raises(ApiError, match="lora_r is 8, but the checkpoint has 4"):
        sent(from_checkpoint="ft-1", lora=True, lora_r=8)


def test_a_whole_model_goes_on_as_a_whole(made: Any, sent: Any) -> None:
    made(lora=False)
    assert sent(from_checkpoint="ft-1").adapter is None
    assert sent(from_checkpoint="ft-1", lora=True).adapter is not None


def test_a_run_that_gets_no_better_ends(made: Any) -> None:
    stop = {
        "validation_file": "held",
        "n_evals": 8,
        "early_stopping_enabled": True,
        "early_stopping_min_delta": 100.0,
    }
    assert len(made(**stop).read_json("evaluations.json")) == 1 + 1 + 2
    patient = made(**stop, early_stopping_patience=3, early_stopping_warmup_evals=0)
    assert len(patient.read_json("evaluations.json")) == 1 + 3


def test_a_seed_says_everything(made: Any) -> None:
    assert made(random_seed=42) == made() != made(random_seed=7)


def test_what_counts(sent: Any, asked: Asked) -> None:
    def learnt(**parameters: Any) -> tuple[int, int]:
        found = preview(asked.store, sent(**parameters))
        return found.learnt, found.tokens

    answers, tokens = learnt()
    assert 0 < answers < tokens
    assert learnt(train_on_inputs=False) == (answers, tokens)
    everything = learnt(train_on_inputs=True)
    assert everything == (tokens - 20, tokens)  # nothing comes before a first token
    texts = learnt(training_file="texts", train_on_inputs="auto")
    assert texts[0] == texts[1] - 20


def test_a_result_has_a_name_that_all_its_versions_can_have(asked: Asked) -> None:
    assert asked.result("tiny", "long" * 16) == f"me/tiny-{'long' * 16}"
    with pytest.raises(ApiError, match="too long") as error:
        asked.result("tiny" * 10, "long" * 16)
    assert error.value.reply.error.param == "suffix"


def test_long_examples_are_cut(made: Any) -> None:
    cut = made(training_file="long", max_seq_length=64, batch_size=1, n_epochs=1)
    assert set(steps(cut, "tokens")) == {64}


def test_preferences(made: Any) -> None:
    plain = made(**DPO, dpo_beta=0.5)
    first = steps(plain, "loss")[0]
    assert first == pytest.approx(math.log(2), abs=1e-3)  # nothing is preferred yet
    assert "teacher" in plain.manifest.inputs
    assert steps(made(**DPO, dpo_beta=0.05), "loss")[-1] > steps(plain, "loss")[-1]
    means = made(**DPO, dpo_beta=0.5, dpo_normalize_logratios_by_length=True)
    assert steps(means, "loss")[-1] > steps(plain, "loss")[-1]
    own = made(**DPO, dpo_beta=0.5, rpo_alpha=0.5)
    assert steps(own, "loss")[0] > first + 0.5
    simple = made(**DPO, dpo_beta=0.5, simpo_gamma=2.0)
    assert "teacher" not in simple.manifest.inputs
    assert steps(simple, "loss")[0] > first + 0.5


def test_a_preference_without_reference_compares_sums(asked: Asked) -> None:
    """No parameter of the client says so, but the API's own does."""
    method = {"method": "dpo", "dpo_reference_free": True}
    body = {"training_file": "preferences", "model": "tiny", "training_method": method}
    objective = TogetherJob.model_validate(body).recipe(asked).objective.model_dump()
    assert objective["reference"] is False
    assert objective["normalize"] is False


@pytest.mark.parametrize(
    ("field", "parameters"),
    [
        ("n_evals", {"n_evals": 2}),
        ("batch_size", {"batch_size": 17}),
        ("batch_size", {**DPO, "batch_size": 9}),
        ("max_seq_length", {"max_seq_length": 100_000}),
        ("max_seq_length", {"max_seq_length": 63}),
        ("learning_rate", {"learning_rate": 1.5}),
        (
            "training_type.lora_r",
            {"training_type": {"type": "Lora", "lora_r": 600, "lora_alpha": 1}},
        ),
        ("model", {"from_checkpoint": "ft-1"}),
        ("train_on_inputs", {"train_on_inputs": True, "training_method": {"method": "sft"}}),
        (
            "lr_scheduler",
            {
                "lr_scheduler": {
                    "lr_scheduler_type": "linear",
                    "lr_scheduler_args": {"num_cycles": 1},
                }
            },
        ),
        (
            "n_evals",
            {"validation_file": "held", "n_evals": 3, "early_stopping_enabled": True},
        ),
    ],
)
def test_what_does_not_go_is_said_with_its_field(
    field: str, parameters: dict[str, Any], asked: Asked
) -> None:
    if parameters.get("training_method") == "dpo":
        parameters |= {"training_method": {"method": "dpo"}}
    body = {"training_file": "questions", "model": "tiny"} | parameters
    with pytest.raises(ApiError) as error:
        TogetherJob.model_validate(body).recipe(asked)
    assert error.value.status == 400
    assert error.value.reply.error.param == field
