"""What to train, on what, and how: one recipe for every objective, whole models and adapters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from openhearth.data.parse import Recipe
from openhearth.models import ModelConfig
from openhearth.models.part import Part
from openhearth.training.balance import Balance
from openhearth.training.objectives import AnyObjective, Sft
from openhearth.training.optimizers import OptimizerRecipe
from openhearth.training.schedules import Schedule

Count = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Lora(Part):
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) in place of whole weights.

    What they add is scaled by `alpha` / `rank`. `targets` are patterns for the matrices that get
    one, such as `*.mixer.*` or `q`: of their paths, or of the last word. With `dora` the lengths of
    the matrices' rows train too (Liu et al. 2024, arXiv:2402.09353).
    """

    rank: Annotated[int, Field(ge=1, le=512)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    dora: bool = False


class Evaluation(Part):
    """Held-out items, at most `items`, are measured `every` so many steps and at the end, or
    `times` times in all, or never.

    After `patience` measurements without a new best the run ends, with the weights of the best one;
    a best is less by `min_delta`, and the first `grace` after the first one are not counted.
    Each of `prompts` is continued by `sample_tokens` tokens at each measurement.
    """

    every: Count | None = None
    times: Count | None = None
    items: Count = 64
    patience: Count | None = None
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    grace: Annotated[int, Field(ge=0)] = 0
    prompts: tuple[str, ...] = ()
    sample_tokens: Count = 32

    @model_validator(mode="after")
    def _says_when_once(self) -> Evaluation:
        if self.every is not None and self.times is not None:
            raise ValueError("give `every` so many steps, or how many `times`, not both")
        return self


class TrainRecipe(Recipe):
    """Training of a model on data.

    `model` names one in the store, or describes a new one, which then needs a `tokenizer`. `from`
    is a version to go on from: an adapter of the model, or a model. `data` is a dataset, tokens, or
    a JSONL file, `heldout` another file. Training ends after `epochs` passes or `tokens` tokens;
    a step has at most `batch_tokens`, or `batch_examples` examples, computed at most `micro_tokens`
    at a time. With `adapter: null`, as in a new model, all weights train; `balance` is how experts
    are then kept in use. `recompute` keeps no activations inside blocks, which saves memory and
    costs a third more time. With `shard` each of several processes holds a share of the weights,
    gradients and moments in place of all of them. `compile` lets torch compile norms and
    feed-forward layers, which needs a C++ compiler, or Triton on a GPU. `stages` versions are kept,
    evenly spread over the run; the last is the result.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    model: str | ModelConfig | None = None
    tokenizer: str | None = None
    start: Annotated[str | None, Field(alias="from")] = None
    data: str
    heldout: str | None = None
    objective: AnyObjective = Sft()
    adapter: Lora | None = Lora()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: Schedule = Schedule()
    balance: Balance = Balance()
    epochs: Count = 1
    tokens: Count | None = None
    batch_tokens: Annotated[int, Field(ge=64)] = 1024
    batch_examples: Count | None = None
    micro_tokens: Count | None = None
    max_tokens: Annotated[int, Field(ge=16)] = 512
    clip: Annotated[float, Field(ge=0)] = 1.0
    seed: Seed = 0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    recompute: bool = False
    compile: bool = False
    shard: bool = False
    evaluation: Evaluation = Evaluation()
    checkpoint_steps: Count = 5
    stages: Annotated[int, Field(ge=1, le=100)] = 1
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _new_models_train_whole(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get("model"), dict | ModelConfig):
            return {"adapter": None} | raw
        return raw

    @model_validator(mode="after")
    def _makes_sense(self) -> TrainRecipe:
        if isinstance(self.model, ModelConfig) and self.tokenizer is None:
            raise ValueError("a new model needs a tokenizer: name one")
        if isinstance(self.model, ModelConfig) and self.adapter is not None:
            raise ValueError("a new model has nothing to adapt: set adapter to null")
        if isinstance(self.model, ModelConfig) and self.start is not None:
            raise ValueError("a run starts from a new model or from another version, not both")
        if self.model is None and self.start is None:
            raise ValueError("name a model, or a version to go on `from`")
        return self


class TuneRecipe(Recipe):
    """LoRA fine-tuning of `base` on the answers in `data`: the few fields that are mostly needed.

    `base` names a model, `data` a curated dataset or a JSONL file, `from` an adapter to go on from,
    whose model need not be named again. Training ends after `tokens` tokens, prompts
    included, or `epochs` passes, whichever comes first; a step has at most `batch_tokens`.
    `learning_rate` rises over the first tenth of the steps, then falls to zero along a line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    base: str | None = None
    start: Annotated[str | None, Field(alias="from")] = None
    data: str
    tokens: Count | None = 50_000
    epochs: Count = 3
    batch_tokens: Annotated[int, Field(ge=64)] = 1024
    max_tokens: Annotated[int, Field(ge=16)] = 512
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    rank: Annotated[int, Field(ge=1, le=512)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    seed: Seed = 0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    @model_validator(mode="after")
    def _begins_somewhere(self) -> TuneRecipe:
        if self.base is None and self.start is None:
            raise ValueError("name a base, or a version to go on `from`")
        return self

    def whole(self) -> TrainRecipe:
        """The same with everything else said."""
        fields = ("data", "tokens", "epochs", "batch_tokens", "max_tokens", "clip", "seed", "dtype")
        return TrainRecipe(
            model=self.base,
            start=self.start,
            adapter=Lora(rank=self.rank, alpha=self.alpha),
            optimizer=OptimizerRecipe(learning_rate=self.learning_rate),
            **{name: getattr(self, name) for name in fields},
        )
