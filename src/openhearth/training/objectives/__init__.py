"""What a run makes smaller. Each objective is one file: its settings, and its loss of a batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openhearth.training.objectives.base import Objective
from openhearth.training.objectives.contrast import Contrast
from openhearth.training.objectives.distill import Distill
from openhearth.training.objectives.next_token import NextToken, Prediction
from openhearth.training.objectives.preference import Preference
from openhearth.training.objectives.sft import Sft

AnyObjective = Annotated[
    NextToken | Sft | Preference | Distill | Contrast, Field(discriminator="name")
]

__all__ = [
    "AnyObjective",
    "Contrast",
    "Distill",
    "NextToken",
    "Objective",
    "Prediction",
    "Preference",
    "Sft",
]
