"""The page's tables against the requests: each field is there and no other; what is refused is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from openai.types.fine_tuning import job_create_params as theirs
from openai.types.fine_tuning.dpo_hyperparameters_param import DpoHyperparametersParam
from pydantic import BaseModel, ValidationError
from together.lib.types.fine_tuning import FinetuneRequest
from together.types.fine_tuning_estimate_price_params import (
    TrainingMethodTrainingMethodDpo,
    TrainingMethodTrainingMethodSft,
    TrainingTypeLoRaTrainingType,
)

from openhearth.platform.errors import ApiError
from openhearth.platform.finetuning import Asked, OpenAIJob, TogetherJob

PAGE = (Path(__file__).parents[3] / "docs/reference/fine-tuning.md").read_text()


def table(heading: str) -> dict[str, str]:
    """What a section says of each field; one row may tell of several."""
    _, found, rest = PAGE.partition(f"\n## {heading}")
    assert found
    rows = re.findall(r"^\| (`.*?`) \| (.*) \|$", rest.partition("\n## ")[0], re.MULTILINE)
    return {name: effect for cell, effect in rows for name in re.findall(r"`([^`]+)`", cell)}


OPENAI, TOGETHER = table("OpenAI"), table("Together")


def inner(annotation: Any) -> list[type[BaseModel]]:
    """The models within an annotation."""
    if get_origin(annotation) is Annotated:
        return inner(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [model for part in get_args(annotation) for model in inner(part)]
    return (
        [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    )


def leaves(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The dotted paths of a body's fields that hold values."""
    for name, field in model.model_fields.items():
        models = inner(field.annotation)
        yield from (leaf for found in models for leaf in leaves(found, f"{path}{name}."))
        if not models:
            yield path + name


def test_every_field_of_together_is_told_and_no_other() -> None:
    assert set(leaves(TogetherJob)) == set(TOGETHER)


def test_every_field_of_openai_is_told_and_no_other() -> None:
    """Hyperparameters are told once for the three places where they may stand."""
    short = {
        leaf.rpartition("hyperparameters.")[2] if "hyperparameters." in leaf else leaf
        for leaf in leaves(OpenAIJob)
    }
    places = {"hyperparameters", *(f"method.{m}.hyperparameters" for m in ("supervised", "dpo"))}
    assert short | places == set(OPENAI)


def test_what_the_clients_know_is_told() -> None:
    assert set(get_type_hints(theirs.JobCreateParams)) - {"method"} <= set(OPENAI)
    assert set(get_type_hints(DpoHyperparametersParam)) <= set(OPENAI)
    tops = {name.partition(".")[0] for name in TOGETHER}
    assert set(FinetuneRequest.model_fields) <= tops
    for kind, model in (
        ("training_type", TrainingTypeLoRaTrainingType),
        ("training_method", TrainingMethodTrainingMethodSft),
        ("training_method", TrainingMethodTrainingMethodDpo),
    ):
        assert {f"{kind}.{name}" for name in get_type_hints(model)} <= set(TOGETHER)


VALUES: dict[str, Any] = {
    "method.reinforcement": {"type": "reinforcement", "reinforcement": {}},
    "integrations": [{"type": "wandb", "wandb": {"project": "mine"}}],
    "multimodal_params.train_vision": {"train_vision": True},
}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (body, field)
        for body, found in ((OpenAIJob, OPENAI), (TogetherJob, TOGETHER))
        for field, effect in found.items()
        if effect.startswith("refused")
    ],
)
def test_what_is_refused_is_said_so(body: Any, field: str, asked: Asked) -> None:
    value = {field.partition(".")[0]: VALUES.get(field, "something")}
    request = body.model_validate({"model": "tiny", "training_file": "questions"} | value)
    with pytest.raises(ApiError, match="is not supported by this server") as error:
        request.recipe(asked)
    assert field.startswith(str(error.value.reply.error.param))


@pytest.mark.parametrize("body", [OpenAIJob, TogetherJob])
def test_what_neither_knows_is_refused(body: Any) -> None:
    with pytest.raises(ValidationError, match="warm_up"):
        body.model_validate({"model": "tiny", "training_file": "questions", "warm_up": 1})
