"""The body of `POST /v1/evaluation`."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from openhearth.errors import UsageError
from openhearth.platform.errors import bad_request
from openhearth.platform.evaluations.templates import columns_of

Template = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]
Model = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Labels = Annotated[list[Label], Field(min_length=1, max_length=256)]

# of the examples in the description of the API
JUDGE = {
    "model": "smollm2-135m",
    "model_source": "serverless",
    "system_template": "Is this a polite answer to {{ question }}?",
}
ROWS: dict[str, Any] = {"judge": JUDGE, "input_data_file_path": "file-0"}
POLITE: dict[str, Any] = {
    "model_to_evaluate": "answer",
    "labels": ["yes", "no"],
    "pass_labels": ["yes"],
}
SCORED: dict[str, Any] = {
    "model_to_evaluate": "answer",
    "min_score": 0,
    "max_score": 10,
    "pass_threshold": 5,
}
BOTH: dict[str, Any] = {"model_a": "answer", "model_b": "other_answer"}


class Part(BaseModel):
    """A part of a request; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Asked(Part):
    """A model, and how it is asked. Both of `serverless` and `dedicated` are models served here."""

    model: Model
    model_source: Literal["serverless", "dedicated", "external"]
    system_template: Template
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    temperature: Annotated[FiniteFloat, Field(ge=0, le=2)] = 0.05
    num_workers: Annotated[int, Field(ge=1, le=1000)] | None = None
    external_api_token: str | None = None
    external_base_url: str | None = None


class Judge(Asked):
    """Who judges."""


class Subject(Asked):
    """A model that answers each row, to be judged."""

    input_template: Template


class Parameters(Part):
    """What all kinds have."""

    input_data_file_path: str
    judge: Judge

    def subjects(self) -> dict[str, Subject | str | None]:
        """What is judged, by field: what a model says, or a column."""
        raise NotImplementedError


class One(Parameters):
    """One answer is judged."""

    model_to_evaluate: Subject | str | None = None

    def subjects(self) -> dict[str, Subject | str | None]:
        return {"model_to_evaluate": self.model_to_evaluate}


class Classify(One):
    """The judge gives one of the labels."""

    labels: Labels
    pass_labels: Labels


class Score(One):
    """The judge gives a number."""

    min_score: FiniteFloat
    max_score: FiniteFloat
    pass_threshold: FiniteFloat


class Compare(Parameters):
    """The judge chooses between two answers, twice, in either order, unless told not to."""

    model_a: Subject | str
    model_b: Subject | str
    disable_position_bias_correction: bool = False

    def subjects(self) -> dict[str, Subject | str | None]:
        return {"model_a": self.model_a, "model_b": self.model_b}


class ClassifyRequest(Part):
    """A request to classify."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "classify", "parameters": ROWS | POLITE}]}
    )

    type: Literal["classify"]
    parameters: Classify


class ScoreRequest(Part):
    """A request to score."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "score", "parameters": ROWS | SCORED}]}
    )

    type: Literal["score"]
    parameters: Score


class CompareRequest(Part):
    """A request to compare."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "compare", "parameters": ROWS | BOTH}]}
    )

    type: Literal["compare"]
    parameters: Compare


EvaluationRequest = Annotated[
    ClassifyRequest | ScoreRequest | CompareRequest, Field(discriminator="type")
]


def models_of(parameters: Parameters) -> list[str]:
    """The models that are asked."""
    subjects = parameters.subjects().values()
    return [one.model for one in (parameters.judge, *subjects) if isinstance(one, Asked)]


def check(parameters: Parameters, first: dict[str, Any]) -> None:
    """Raise a 400 for what makes no sense, or does not go with the first row of the data."""
    if isinstance(parameters, Classify) and not set(parameters.pass_labels) <= {*parameters.labels}:
        raise bad_request("pass_labels has a label that is not in labels.", "parameters")
    if isinstance(parameters, Score):
        least, most = parameters.min_score, parameters.max_score
        if not least < most or not least <= parameters.pass_threshold <= most:
            message = "min_score is below max_score, and pass_threshold between them."
            raise bad_request(message, "parameters")
    _check_asked("judge", parameters.judge, first)
    for name, subject in parameters.subjects().items():
        if isinstance(subject, str):
            _check_columns({subject}, name, first)
        elif subject is not None:
            _check_asked(name, subject, first)


def _check_asked(name: str, asked: Asked, first: dict[str, Any]) -> None:
    external = asked.external_base_url or asked.external_api_token
    if asked.model_source == "external" or external:
        message = f"{name} is external, but this server asks only its own models: name one of them."
        raise bad_request(message, "parameters", "unsupported_parameter")
    for field in ("system_template", "input_template"):
        template = getattr(asked, field, None)
        if template is not None:
            try:
                columns = columns_of(template, f"{name}.{field}")
            except UsageError as error:
                raise bad_request(str(error), "parameters", "invalid_template") from error
            _check_columns(columns, f"{name}.{field}", first)


def _check_columns(columns: Set[str], where: str, first: dict[str, Any]) -> None:
    missing = sorted(columns - first.keys())
    if missing:
        message = f"{where} names {', '.join(missing)}, but the rows have {', '.join(first)}."
        raise bad_request(message, "parameters", "unknown_column")
