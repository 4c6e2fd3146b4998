"""Imitate answers (supervised fine-tuning): only what the assistant says counts."""

from __future__ import annotations

from typing import Literal

from openhearth.training.objectives.next_token import Prediction


class Sft(Prediction):
    """Answers count. `train_on_inputs` counts the prompts too; `auto` does so for plain text, which
    has none.
    """

    name: Literal["sft"] = "sft"
    train_on_inputs: bool | Literal["auto"] = "auto"
