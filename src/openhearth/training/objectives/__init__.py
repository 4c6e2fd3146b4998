"""What a run makes smaller. Each objective is one file: its settings, and its loss of a batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openhearth.training.objectives.base import Objective
from openhearth.training.objectives.next_token import NextToken
from openhearth.training.objectives.sft import Sft

AnyObjective = Annotated[NextToken | Sft, Field(discriminator="name")]

__all__ = ["AnyObjective", "NextToken", "Objective", "Sft"]
