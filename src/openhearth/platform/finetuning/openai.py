"""`POST /v1/fine_tuning/jobs` of OpenAI's API as a recipe.

What is left to `auto` is chosen by the rules that OpenAI published for epochs, and by our own
defaults for the rest. A run keeps a checkpoint for each epoch.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from openhearth.platform.errors import bad_request
from openhearth.platform.finetuning.asked import MOST_EVALUATED, Asked, Body, refuse
from openhearth.platform.finetuning.limits import Limits, limits_of, within

if TYPE_CHECKING:
    from openhearth.training import TrainRecipe

Epochs = Annotated[int, Field(ge=1, le=50)]
BatchSize = Annotated[int, Field(ge=1, le=256)]
Positive = Annotated[float, Field(gt=0)]
Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]

RATES = {"supervised": 1e-3, "dpo": 1e-4}  # of adapters, at a multiplier of 1
EVALUATIONS = 10  # of a run with a validation file
# github.com/openai/openai-cookbook, examples/Chat_finetuning_data_prep.ipynb
EPOCHS, MOST_EPOCHS, FEW_EXAMPLES, MANY_EXAMPLES = 3, 25, 100, 25_000
UNSERVED = {
    "integrations": "no other service hears of a job; its metrics are in its events",
}


class Hyperparameters(Body):
    """How a job trains; `auto` leaves it to the server."""

    n_epochs: Epochs | Literal["auto"] | None = None
    batch_size: BatchSize | Literal["auto"] | None = None
    learning_rate_multiplier: Positive | Literal["auto"] | None = None


class DpoHyperparameters(Hyperparameters):
    """How far a preference may lead away from the model before it."""

    beta: Positive | Literal["auto"] | None = None


class Supervised(Body):
    """Imitation of answers."""

    hyperparameters: Hyperparameters | None = None


class Dpo(Body):
    """Preference of one answer to another."""

    hyperparameters: DpoHyperparameters | None = None


class Method(Body):
    """One of the methods, with its settings."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Supervised | None = None
    dpo: Dpo | None = None
    reinforcement: dict[str, Any] | None = None


class OpenAIJob(Body):
    """The body of a request. `metadata` is the job's, not the recipe's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "smollm2-135m", "training_file": "file-0", "seed": 1, "suffix": "bot"}
            ]
        }
    )

    model: str = Field(max_length=256)
    training_file: str
    validation_file: str | None = None
    hyperparameters: Hyperparameters | None = None
    method: Method | None = None
    seed: int | None = None
    suffix: Annotated[str, StringConstraints(max_length=64)] | None = None
    integrations: list[Any] | None = None
    metadata: Annotated[dict[Key, Value], Field(max_length=16)] | None = None

    def recipe(self, asked: Asked) -> TrainRecipe:
        """What does what the body says. Without a seed one is drawn.

        Raises:
            ApiError: 400, a field is not served, or does not go with another.
            NotFound: there is no such model or file.
            UsageError: the recipe is wrong.
        """
        from openhearth.training import TrainRecipe

        refuse(self.model_dump(), UNSERVED)
        kind, said = self._method()
        begin, model = asked.beginning(self.model)
        epochs = _chosen(said.n_epochs, None) or _epochs(asked.lines(self.training_file) or 1)
        multiplier = _chosen(said.learning_rate_multiplier, 1.0)
        within("learning_rate_multiplier", multiplier, 0, 1 / RATES[kind])
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed % 2**32
        return TrainRecipe.parse(
            begin
            | asked.data(self.training_file, self.validation_file)
            | _amounts(said, limits_of(self.model, model))
            | {
                "objective": _objective(said),
                "optimizer": {"learning_rate": RATES[kind] * multiplier},
                "epochs": epochs,
                "seed": seed,
                "evaluation": {
                    "times": EVALUATIONS if self.validation_file else None,
                    "items": MOST_EVALUATED,
                },
                "stages": epochs,
                "name": asked.result(self.model, self.suffix),
            }
        )

    def _method(self) -> tuple[Literal["supervised", "dpo"], Hyperparameters]:
        """Which method, and its settings."""
        method = self.method or Method(type="supervised")
        if method.type == "reinforcement":
            message = "method.type reinforcement is not supported by this server: use dpo."
            raise bad_request(message, "method", "unsupported_parameter")
        for other in {"supervised", "dpo", "reinforcement"} - {method.type}:
            if getattr(method, other) is not None:
                raise bad_request(f"method.{other} does not go with {method.type}.", "method")
        if method.type == "dpo":
            own: Hyperparameters | None = method.dpo.hyperparameters if method.dpo else None
        else:
            own = method.supervised.hyperparameters if method.supervised else None
        if own is not None and self.hyperparameters is not None:
            message = "hyperparameters are in method already: leave one of the two out."
            raise bad_request(message, "hyperparameters")
        default = DpoHyperparameters if method.type == "dpo" else Hyperparameters
        return method.type, own or default(
            **(self.hyperparameters or Hyperparameters()).model_dump()
        )


def _chosen(value: Any, default: Any) -> Any:
    """A value, or the default where that is left to the server."""
    return default if value in (None, "auto") else value


def _amounts(said: Hyperparameters, limits: Limits) -> dict[str, Any]:
    """How much a step sees; an example of the greatest length is computed at a time."""
    pairs = isinstance(said, DpoHyperparameters)
    length = limits.max_seq_length_dpo if pairs else limits.max_seq_length_sft
    longest = 2 * length if pairs else length
    examples = _chosen(said.batch_size, None)
    return {
        "batch_tokens": (examples or 1) * longest,
        "batch_examples": examples,
        "micro_tokens": longest,
        "max_tokens": length,
    }


def _objective(said: Hyperparameters) -> dict[str, Any]:
    if isinstance(said, DpoHyperparameters):
        return {"name": "preference", "beta": _chosen(said.beta, 0.1)}
    return {"name": "sft"}


def _epochs(examples: int) -> int:
    """Three passes, more over few examples and fewer over many."""
    if examples * EPOCHS < FEW_EXAMPLES:
        return min(MOST_EPOCHS, FEW_EXAMPLES // examples)
    if examples * EPOCHS > MANY_EXAMPLES:
        return max(1, MANY_EXAMPLES // examples)
    return EPOCHS
