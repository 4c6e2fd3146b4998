"""What to select, as a recipe of a selection or of a slice of a mixture says it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from openhearth.data.parse import Recipe
from openhearth.data.select.features import BUCKETS
from openhearth.data.select.scores import METADATA
from openhearth.data.signals import LINE_SIGNALS, is_signal

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


class SelectRecipe(Recipe):
    """What to select.

    `n` documents, by `method`: `dsir` draws them by their importance for the target, `top` takes
    those with the highest `signal`, `random` draws any. Scores are divided by `temperature` before
    chance is added; 0 leaves chance out. `features` are those of `FEATURES`, in `buckets`;
    `per_word` takes the mean importance of a document's features, not the sum, so that long
    documents have no advantage. `separate` selects for each target by itself, as many as its share
    (of `shares`, else of all targets' features). At most `cap` documents (below 1: that share of
    `n`) are taken of what `per` groups: `source`, `domain`, or `metadata:FIELD`, such as a cluster
    of near duplicates. Documents have from `min_words` to `max_words` raw words.

    `features="lower"` with `min_words=100` chooses as `data-selection` 1.0.3 does, by other chance.
    """

    called: ClassVar[str] = "selection"

    n: Annotated[int, Field(ge=1)]
    method: Literal["dsir", "random", "top"] = "dsir"
    seed: Seed = 0
    features: Literal["raw", "lower"] = "raw"
    buckets: Annotated[int, Field(ge=2, le=1 << 24)] = BUCKETS
    per_word: bool = False
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    separate: bool = False
    shares: dict[str, Positive] = Field(default_factory=dict)
    signal: str | None = None
    cap: Positive | None = None
    per: Annotated[str, Field(pattern=rf"^(source|domain|{METADATA}.+)$")] = "source"
    min_words: Annotated[int, Field(ge=0)] = 0
    max_words: Annotated[int | None, Field(ge=1)] = None

    @model_validator(mode="after")
    def _makes_sense(self) -> SelectRecipe:
        if (self.method == "top") != (self.signal is not None):
            raise ValueError('method "top" goes with a signal, and no other does')
        if self.signal is not None and (not is_signal(self.signal) or self.signal in LINE_SIGNALS):
            raise ValueError(f"there is no signal of documents {self.signal!r}")
        if self.shares and not self.separate:
            raise ValueError("shares are of separate targets: set separate too")
        return self

    @property
    def most_of_a_group(self) -> int | None:
        """`cap` in documents."""
        if self.cap is None:
            return None
        return max(1, int(self.cap * self.n if self.cap < 1 else self.cap))

    @property
    def limits_words(self) -> bool:
        """Whether documents' words must be known."""
        return self.min_words > 0 or self.max_words is not None
