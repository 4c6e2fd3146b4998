"""`POST /v1/fine-tunes/estimate-price` of Together's API: the part of a request that costs."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from openhearth.platform.finetuning.asked import Body
from openhearth.platform.finetuning.methods import Dpo, Full, Lora, Sft
from openhearth.platform.finetuning.together import Count, Name, Natural, TogetherJob


class EstimateRequest(Body):
    """The body of a request. Their command line leaves texts empty that are not given."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"training_file": "file-0", "model": "smollm2-135m"}]}
    )

    training_file: str
    validation_file: str | None = None
    model: Name | None = None
    from_checkpoint: Name | None = None
    n_epochs: Count | None = None
    n_evals: Natural | None = None
    training_type: Annotated[Full | Lora, Field(discriminator="type")] | None = None
    training_method: Annotated[Sft | Dpo, Field(discriminator="method")] | None = None

    def job(self) -> TogetherJob:
        """What it would be the price of. Measuring costs nothing."""
        given = {name: value for name, value in self.model_dump().items() if value}
        given.pop("n_evals", None)
        return TogetherJob.model_validate(given)
