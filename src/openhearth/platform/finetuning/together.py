"""`POST /v1/fine-tunes` of Together's API as a recipe.

With `packing` a step has `batch_size` rows of `max_seq_length` tokens, filled with whole examples;
without it `batch_size` examples. Neither attends across examples, and neither pads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from openhearth.platform.errors import bad_request
from openhearth.platform.finetuning.asked import MOST_EVALUATED, Asked, Body, refuse
from openhearth.platform.finetuning.limits import Limits, limits_of, within
from openhearth.platform.finetuning.methods import Dpo, Full, Lora, LrScheduler, Sft
from openhearth.store import Artifact

if TYPE_CHECKING:
    from openhearth.training import TrainRecipe

Count = Annotated[int, Field(ge=1, lt=2**31)]
Natural = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, StringConstraints(max_length=256)]
SEED = 42  # as their clients document
PATIENCE, GRACE = 2, 1  # likewise
HUB = "it fetches nothing from a hub; import the model by `hearth models import`"
WANDB = "no other service hears of a job; its metrics are in its events"
UNSERVED = {
    "from_hf_model": HUB,
    "hf_model_revision": HUB,
    "hf_api_token": HUB,
    "hf_output_repo_name": "it sends nothing to a hub; download the result",
    "wandb_key": WANDB,
    "wandb_base_url": WANDB,
    "wandb_project_name": WANDB,
    "wandb_name": WANDB,
    "wandb_entity": WANDB,
}


class Vision(Body):
    """Of models that see."""

    train_vision: bool = False


class TogetherJob(Body):
    """The body of a request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "smollm2-135m",
                    "training_file": "file-0",
                    "n_epochs": 2,
                    "learning_rate": 1e-3,
                }
            ]
        }
    )

    training_file: str
    validation_file: str | None = None
    model: Name | None = None
    from_checkpoint: Name | None = None
    n_epochs: Count = 1
    n_evals: Natural | None = None
    n_checkpoints: Count | None = None
    batch_size: Count | Literal["max"] | None = None
    gradient_accumulation_steps: Natural | None = None
    packing: bool = True
    max_seq_length: Count | None = None
    learning_rate: float = 1e-5
    lr_scheduler: LrScheduler | None = None
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    training_type: Annotated[Full | Lora, Field(discriminator="type")] | None = None
    training_method: Annotated[Sft | Dpo, Field(discriminator="method")] | None = None
    train_on_inputs: bool | Literal["auto"] | None = None
    suffix: Annotated[str, StringConstraints(max_length=64)] | None = None
    random_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    early_stopping_enabled: bool = False
    early_stopping_patience: Count | None = None
    early_stopping_min_delta: Annotated[float, Field(ge=0)] | None = None
    early_stopping_warmup_evals: Natural | None = None
    multimodal_params: Vision | None = None
    from_hf_model: str | None = None
    hf_model_revision: str | None = None
    hf_api_token: str | None = None
    hf_output_repo_name: str | None = None
    wandb_key: str | None = None
    wandb_base_url: str | None = None
    wandb_project_name: str | None = None
    wandb_name: str | None = None
    wandb_entity: str | None = None

    def recipe(self, asked: Asked) -> TrainRecipe:
        """What does what the body says.

        Raises:
            ApiError: 400, a field is not served, out of the model's bounds, or does not go with
                another.
            NotFound: there is no such model, checkpoint or file.
            UsageError: the recipe is wrong.
        """
        from openhearth.training import TrainRecipe

        refuse(self.model_dump(), UNSERVED)
        refuse(
            dict(self.multimodal_params or ()),
            {"train_vision": "no model sees"},
            "multimodal_params.",
        )
        name = self._beginning(asked)
        begin, model = asked.beginning(name)
        method = self._method()
        limits = limits_of(name, model)
        self._check(limits, method)
        return TrainRecipe.parse(
            begin
            | asked.data(self.training_file, self.validation_file)
            | self._amounts(limits, method)
            | {
                "objective": method.objective(),
                "adapter": self._adapter(asked.store.get(name), limits),
                "optimizer": {
                    "learning_rate": self.learning_rate,
                    "weight_decay": self.weight_decay,
                },
                "schedule": (self.lr_scheduler or LrScheduler()).schedule(self.warmup_ratio or 0.0),
                "clip": self.max_grad_norm,
                "seed": SEED if self.random_seed is None else self.random_seed,
                "evaluation": self._evaluation(),
                "stages": self.n_checkpoints or 1,
                "name": asked.result(name, self.suffix),
            }
        )

    def _beginning(self, asked: Asked) -> str:
        """The name of what the job goes on from."""
        if (self.model is None) == (self.from_checkpoint is None):
            raise bad_request("Give either model or from_checkpoint.", "model")
        if self.from_checkpoint is not None:
            return asked.version(self.from_checkpoint)
        assert self.model is not None
        return self.model

    def _method(self) -> Sft | Dpo:
        """The training method. The older place of `train_on_inputs` counts where it is alone."""
        if self.train_on_inputs is None:
            return self.training_method or Sft()
        if self.training_method is not None:
            message = "train_on_inputs belongs into training_method, which is there: put it there."
            raise bad_request(message, "train_on_inputs")
        return Sft(train_on_inputs=self.train_on_inputs)

    def _check(self, limits: Limits, method: Sft | Dpo) -> None:
        """Raise a 400 if a number is out of the model's bounds."""
        within("n_epochs", self.n_epochs, 1, limits.max_num_epochs)
        within("n_evals", self.n_evals or 0, 0, limits.max_num_evals)
        within("n_checkpoints", self.n_checkpoints or 1, 1, limits.max_num_checkpoints)
        within(
            "learning_rate", self.learning_rate, limits.min_learning_rate, limits.max_learning_rate
        )
        if self.max_seq_length is not None:
            most = _longest(limits, method)
            within("max_seq_length", self.max_seq_length, limits.min_max_seq_length, most)

    def _amounts(self, limits: Limits, method: Sft | Dpo) -> dict[str, Any]:
        """What a step and a run see; an example of the greatest length is computed at a time."""
        length = self.max_seq_length or _longest(limits, method)
        batch = self._batch(limits, method)
        return {
            "epochs": self.n_epochs,
            "batch_tokens": batch * method.together * length,
            "batch_examples": None if self.packing else batch,
            "micro_tokens": method.together * length,
            "max_tokens": length,
        }

    def _batch(self, limits: Limits, method: Sft | Dpo) -> int:
        """Examples, or packed rows, of a step."""
        bounds = (
            limits.full_training if isinstance(self.training_type, Full) else limits.lora_training
        )
        most = bounds.max_batch_size_dpo if isinstance(method, Dpo) else bounds.max_batch_size
        size = most if self.batch_size in (None, "max") else self.batch_size
        assert isinstance(size, int)
        within("batch_size", size, bounds.min_batch_size, most)
        return size * (
            self.gradient_accumulation_steps or limits.default_gradient_accumulation_steps
        )

    def _adapter(self, start: Artifact, limits: Limits) -> dict[str, Any] | None:
        """Without a `training_type` as the version that is gone on from, if it is one."""
        if isinstance(self.training_type, Full):
            return None
        inherits = self.training_type is None and self.from_checkpoint is not None
        if inherits and start.kind == "model":
            return None
        lora = self.training_type or Lora.of(limits.lora_training.default_rank)
        within("training_type.lora_r", lora.lora_r, 1, limits.lora_training.max_rank)
        if start.kind == "adapter" and self.training_type is not None:
            lora.must_be(start)
        return lora.adapter()

    def _evaluation(self) -> dict[str, Any]:
        if self.n_evals and not self.validation_file:
            raise bad_request("n_evals needs a validation_file to measure on.", "n_evals")
        found = {"times": self.n_evals or None, "items": MOST_EVALUATED}
        if not self.early_stopping_enabled:
            return found
        patience = self.early_stopping_patience or PATIENCE
        grace = GRACE if (given := self.early_stopping_warmup_evals) is None else given
        if (self.n_evals or 0) < patience + grace + 1:
            raise bad_request(
                f"Early stopping needs n_evals of {patience + grace + 1} or more: one to compare "
                "with, those to warm up, and those to wait.",
                "n_evals",
            )
        delta = self.early_stopping_min_delta or 0.0
        return found | {"patience": patience, "grace": grace, "min_delta": delta}


def _longest(limits: Limits, method: Sft | Dpo) -> int:
    return limits.max_seq_length_dpo if isinstance(method, Dpo) else limits.max_seq_length_sft
