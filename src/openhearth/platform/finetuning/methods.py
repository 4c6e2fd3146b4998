"""The parts of a request in Together's API: training methods, types, and schedules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from openhearth.models.adapter_files import SETTINGS
from openhearth.platform.errors import bad_request
from openhearth.platform.finetuning.asked import Body
from openhearth.store import Artifact

EVERY = "all-linear"


class Sft(Body):
    """Imitation. `auto` counts prompts only where text is all that there is."""

    method: Literal["sft"] = "sft"
    train_on_inputs: bool | Literal["auto"] = "auto"

    @property
    def together(self) -> int:
        """How many sequences an example has."""
        return 1

    def objective(self) -> dict[str, Any]:
        """The recipe's."""
        return {"name": "sft", "train_on_inputs": self.train_on_inputs}


class Dpo(Body):
    """Preference. A `simpo_gamma` above 0 is SimPO's margin, without a reference and with means.
    Their client sends 0 for a number that is not given when it asks for a price.
    """

    method: Literal["dpo"]
    dpo_beta: Annotated[float, Field(ge=0)] | None = None
    dpo_normalize_logratios_by_length: bool = False
    dpo_reference_free: bool = False
    rpo_alpha: Annotated[float, Field(ge=0)] | None = None
    simpo_gamma: Annotated[float, Field(ge=0)] | None = None

    @property
    def together(self) -> int:
        """How many sequences an example has."""
        return 2

    def objective(self) -> dict[str, Any]:
        """The recipe's."""
        return {
            "name": "preference",
            "beta": self.dpo_beta or 0.1,
            "normalize": self.dpo_normalize_logratios_by_length,
            "reference": not self.dpo_reference_free,
            "gamma": self.simpo_gamma or None,
            "rpo_alpha": self.rpo_alpha or 0.0,
        }


class Full(Body):
    """All weights train."""

    type: Literal["Full"]


class Lora(Body):
    """Low-rank pairs beside the matrices that are named, by commas, in the model's own words."""

    type: Literal["Lora"]
    lora_r: Annotated[int, Field(ge=1)]
    lora_alpha: Annotated[float, Field(gt=0)]
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lora_trainable_modules: Annotated[str, Field(min_length=1)] = EVERY

    @classmethod
    def of(cls, rank: int) -> Lora:
        """What is meant where nothing is said."""
        return cls(type="Lora", lora_r=rank, lora_alpha=2.0 * rank)

    def adapter(self) -> dict[str, Any]:
        """The recipe's."""
        named = [name.strip() for name in self.lora_trainable_modules.split(",")]
        return {
            "rank": self.lora_r,
            "alpha": self.lora_alpha,
            "dropout": self.lora_dropout,
            "targets": ("*",) if EVERY in named else tuple(named),
        }

    def must_be(self, adapter: Artifact) -> None:
        """Raise a 400 if an adapter, which is gone on from, is not of this shape."""
        has = adapter.read_json(SETTINGS)
        for name, value in (("r", self.lora_r), ("lora_alpha", self.lora_alpha)):
            if has[name] != value:
                field = "training_type." + ("lora_r" if name == "r" else name)
                message = f"{field} is {value}, but the checkpoint has {has[name]}: leave it out."
                raise bad_request(message, field)


class SchedulerArgs(Body):
    """Of either schedule; only waves have cycles."""

    min_lr_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    num_cycles: Annotated[float, Field(gt=0)] | None = None


class LrScheduler(Body):
    """How the learning rate falls."""

    lr_scheduler_type: Literal["linear", "cosine"] = "cosine"
    lr_scheduler_args: SchedulerArgs | None = None

    def schedule(self, warm_up: float) -> dict[str, Any]:
        """The recipe's."""
        args = self.lr_scheduler_args or SchedulerArgs()
        if self.lr_scheduler_type == "linear" and args.num_cycles is not None:
            message = "num_cycles is for the cosine: leave it out of a linear schedule."
            raise bad_request(message, "lr_scheduler")
        return {
            "kind": self.lr_scheduler_type,
            "warm_up": warm_up,
            "min_ratio": args.min_lr_ratio or 0.0,
            "cycles": args.num_cycles or 0.5,
        }
