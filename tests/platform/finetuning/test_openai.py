"""What OpenAI's own client sends, seen in what is trained."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import openai
import pytest

from openhearth.platform.errors import ApiError
from openhearth.platform.finetuning import Asked, OpenAIJob
from openhearth.platform.finetuning.openai import RATES
from openhearth.store import Store
from openhearth.training import TrainRecipe
from tests.platform.finetuning.conftest import Heard, steps, trained

FAST = {"n_epochs": 2, "batch_size": 5}


@pytest.fixture
def sent(oai: openai.OpenAI, heard: Heard, asked: Asked) -> Any:
    """The recipe of a request by the client."""

    def send(**parameters: Any) -> TrainRecipe:
        base = {"model": "tiny", "training_file": "questions", "seed": 1}
        oai.fine_tuning.jobs.create(**(base | parameters))
        return OpenAIJob.model_validate(heard.body).recipe(asked)

    return send


def supervised(**said: Any) -> dict[str, Any]:
    return {"type": "supervised", "supervised": {"hyperparameters": FAST | said}}


def dpo(**said: Any) -> dict[str, Any]:
    return {"type": "dpo", "dpo": {"hyperparameters": FAST | said}}


def test_what_is_left_to_the_server(sent: Any) -> None:
    recipe = sent()
    assert recipe == sent(
        method={
            "type": "supervised",
            "supervised": {
                "hyperparameters": dict.fromkeys(
                    ("n_epochs", "batch_size", "learning_rate_multiplier"), "auto"
                )
            },
        }
    )
    assert recipe.epochs == 100 // 20
    assert recipe.batch_examples is None
    assert recipe.optimizer.learning_rate == RATES["supervised"]
    assert recipe.objective.model_dump() == {"name": "sft", "train_on_inputs": "auto"}
    assert recipe.evaluation.times is None


@pytest.mark.parametrize(
    ("examples", "epochs"), [(1, 25), (33, 3), (100, 3), (8333, 3), (12_500, 2), (30_000, 1)]
)
def test_epochs_by_the_number_of_examples(examples: int, epochs: int, store: Store) -> None:
    """Golden values by the function in OpenAI's cookbook, Chat_finetuning_data_prep.ipynb."""
    job = OpenAIJob(model="tiny", training_file="file")
    asked = Asked(store, "me", Path, lambda _: examples)
    assert job.recipe(asked).epochs == epochs


def test_hyperparameters_act(sent: Any, asked: Asked) -> None:
    made = trained(asked, sent(method=supervised(learning_rate_multiplier=10), suffix="Kind Bot!"))
    assert len(steps(made)) == 2 * 20 / 5
    assert made == trained(asked, sent(hyperparameters=FAST | {"learning_rate_multiplier": 10}))
    assert asked.store.get("me/tiny-kind-bot:1") == made
    assert list(made.manifest.metrics["stages"]) == ["4"]  # the end of the first epoch
    slow = trained(asked, sent(method=supervised(learning_rate_multiplier=0.1)))
    assert steps(slow, "loss")[-1] > steps(made, "loss")[-1]
    held = trained(asked, sent(method=supervised(), validation_file="held"))
    assert [found["step"] for found in held.read_json("evaluations.json")] == list(range(1, 9))


def test_preferences(sent: Any, asked: Asked) -> None:
    parameters = {"training_file": "preferences"}
    recipe = sent(**parameters, method=dpo(beta=0.5, learning_rate_multiplier=100))
    assert recipe.optimizer.learning_rate == pytest.approx(0.01)
    made = trained(asked, recipe)
    found = steps(made, "loss")
    assert found[0] == pytest.approx(math.log(2), abs=1e-3)
    assert found[-1] < found[0]
    assert sent(**parameters, method=dpo(beta="auto")) == sent(**parameters, method=dpo(beta=0.1))
    assert sent(**parameters, method={"type": "dpo"}).objective.name == "preference"


def test_an_adapter_is_gone_on_from(sent: Any, asked: Asked) -> None:
    first = trained(asked, sent(method=supervised()))
    recipe = sent(model="me/tiny-tuned:1", method=supervised())
    assert trained(asked, recipe).manifest.inputs["from"] == first.digest


def test_seeds(sent: Any) -> None:
    assert sent(seed=7).seed == 7
    assert sent(seed=-1).seed == 2**32 - 1
    drawn = {sent(seed=None).seed for _ in range(3)}
    assert len(drawn) == 3


def test_metadata_is_kept_beside_the_recipe(oai: openai.OpenAI, heard: Heard) -> None:
    oai.fine_tuning.jobs.create(model="tiny", training_file="questions", metadata={"team": "a"})
    assert OpenAIJob.model_validate(heard.body).metadata == {"team": "a"}


WANDB = [{"type": "wandb", "wandb": {"project": "mine"}}]


@pytest.mark.parametrize(
    ("field", "parameters"),
    [
        ("integrations", {"integrations": WANDB}),
        ("method", {"method": {"type": "reinforcement", "reinforcement": {"grader": {}}}}),
        ("method", {"method": {"type": "supervised", "dpo": {"hyperparameters": {}}}}),
        ("hyperparameters", {"method": supervised(), "hyperparameters": {"n_epochs": 1}}),
        ("learning_rate_multiplier", {"method": supervised(learning_rate_multiplier=1e6)}),
    ],
)
def test_what_is_not_served_is_said_with_its_field(
    sent: Any, field: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ApiError) as error:
        sent(**parameters)
    assert error.value.status == 400
    assert error.value.reply.error.param == field
