"""What a study compares: sizes, layer mixes, slices of data, and how much each run costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, field_validator, model_validator

from openhearth.data import CurateRecipe
from openhearth.data.parse import Recipe, read_file
from openhearth.errors import UsageError
from openhearth.models.block_list import read_blocks, read_yaml
from openhearth.models.part import Part
from openhearth.training.optimizers import OptimizerRecipe
from openhearth.training.schedules import Schedule
from openhearth.training.study.mixes import Count, Pattern, Size
from openhearth.training.study.probes import AnyProbe
from openhearth.training.study.probes.settings import mad
from openhearth.training.study.probes.trial import Teaching
from openhearth.training.study.scaling import PARAMETERS
from openhearth.training.study.uncertainty import DRAWS

Name = Annotated[str, Field(pattern=r"^[\w.+-]+$")]
Flops = Annotated[float, Field(gt=0)]


class Next(Part):
    """The size beyond those of the sweep whose loss is foretold and then measured, of every mix."""

    size: Size
    flops: Flops


class ProbeStudy(Part):
    """Probes that a small model of every mix learns. A task is a name of MAD's, or settings."""

    tasks: Annotated[tuple[AnyProbe, ...], Field(min_length=1)]
    size: Size = Size(width=128, depth=2)
    teaching: Teaching = Teaching()

    @field_validator("tasks", mode="before")
    @classmethod
    def _from_names(cls, tasks: Any) -> Any:
        """A name is that task of MAD as it is, or Zoology's; a mapping under a name changes it."""
        return [_task(task) for task in tasks] if isinstance(tasks, list) else tasks


def _task(said: Any) -> Any:
    if not isinstance(said, str | dict) or (isinstance(said, dict) and "name" not in said):
        raise ValueError("a task is a name, or settings with a `name`")
    changes = {"name": said} if isinstance(said, str) else said
    base = mad()["tasks"].get(changes["name"], {}).get("base", {})
    return TypeAdapter[Any](AnyProbe).validate_python(base | changes)


class StudyRecipe(Recipe):
    """A study. Every mix, a pattern of blocks, is trained at every size on every slice, once for
    each of `flops` and `tokens`: for so many FLOPs, which is how mixes are compared, or tokens.

    A slice names a dataset or a corpus in the store, or says how to curate one. `tokenizer` names
    one, or is the size of a vocabulary to be learnt from the first slice; 257 are the bytes and
    the end of text. `model` are further settings of the models, `context` the tokens of a row.
    After the sweep `next` is foretold and measured, and `probes` are learnt. `draws` are those of
    the laws' intervals.
    """

    name: str | None = None
    slices: Annotated[dict[Name, str | CurateRecipe], Field(min_length=1)]
    tokenizer: str | Annotated[int, Field(ge=257)] = 257
    mixes: Annotated[dict[Name, Pattern], Field(min_length=1)]
    sizes: Annotated[tuple[Size, ...], Field(min_length=1)]
    flops: tuple[Flops, ...] = ()
    tokens: tuple[Count, ...] = ()
    next: Next | None = None
    probes: ProbeStudy | None = None
    model: dict[str, Any] = Field(default_factory=dict)
    context: Annotated[int, Field(ge=16)] = 256
    batch_tokens: Count = 2048
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: Schedule = Schedule(kind="wsd")
    clip: Annotated[float, Field(ge=0)] = 1.0
    heldout_rows: Count = 256
    draws: Annotated[int, Field(ge=20)] = DRAWS
    most_epochs: Annotated[float, Field(gt=0)] = 4.0
    dtype: Literal["auto", "float32", "bfloat16"] = "float32"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _makes_sense(self) -> StudyRecipe:
        if not self.flops and not self.tokens:
            raise ValueError("say how much a run costs: give `flops`, or `tokens`")
        amounts = len(self.flops) + len(self.tokens)
        if min(len(self.sizes), amounts) < 2 or len(self.sizes) * amounts < PARAMETERS:
            raise ValueError(
                f"{len(self.sizes)} sizes of {amounts} amounts determine no scaling law: it has "
                f"{PARAMETERS} numbers, so give as many runs of each mix, of two sizes or more"
            )
        if self.batch_tokens < self.context:
            raise ValueError("batch_tokens must be at least the context: a step holds whole rows")
        for name, pattern in self.mixes.items():
            try:
                read_blocks(pattern)
            except UsageError as error:
                raise ValueError(f"the mix `{name}` is wrong: {error}") from error
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """A recipe from a YAML file, whose mixes may be lists of blocks followed by `* n`.

        Raises:
            NotFound: there is no such file.
            UsageError: it is not YAML, or a field is missing, unknown or out of range.
        """
        return cls.parse(read_file(path, cls.called, read_yaml))
