"""From a request to a job: its recipe, what it will cost, the credits held, and the row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhearth.models import base_of
from openhearth.platform.apart import Apart
from openhearth.platform.files import File, Files
from openhearth.platform.finetuning.books import Payer
from openhearth.platform.finetuning.charges import Charges, Estimate
from openhearth.platform.finetuning.counting import Counting
from openhearth.platform.finetuning.names import KIND, Names
from openhearth.platform.finetuning.openai import OpenAIJob
from openhearth.platform.finetuning.together import TogetherJob
from openhearth.platform.ids import new_id
from openhearth.platform.jobs import Job, Jobs
from openhearth.platform.models import is_visible
from openhearth.store import Store

if TYPE_CHECKING:
    from openhearth.training import TrainRecipe


@dataclass(frozen=True)
class _Asked:
    """What a request asks to be carried out, and its files."""

    recipe: TrainRecipe
    training: File
    validation: File | None


@dataclass(frozen=True)
class Tuning:
    """What the routes work with."""

    store: Store
    jobs: Jobs
    files: Files
    charges: Charges
    apart: Apart
    counting: Counting

    def names(self, project: str) -> Names:
        """What names stand for in a project."""
        return Names(self.store, self.jobs, self.files, project)

    async def estimate(self, body: TogetherJob, payer: Payer) -> Estimate:
        """What a request would cost."""
        return await self._estimated(await asyncio.to_thread(self._asked, body, payer), payer)

    async def make(self, body: TogetherJob | OpenAIJob, payer: Payer) -> Job:
        """The job that a request asks for.

        Raises:
            ApiError: 400 or 404, the request is wrong; 402, it cannot be paid; 429 or 503, there
                is too much to do.
        """
        asked = await asyncio.to_thread(self._asked, body, payer)
        estimate = await self._estimated(asked, payer)
        job = new_id("ft", "-")
        model = self._model(asked.recipe, payer.project)
        await self.charges.hold(job, payer, model, estimate.tokens)
        try:
            return await asyncio.to_thread(self._create, job, body, asked, payer)
        except Exception:
            await self.charges.release(job)
            raise

    def _asked(self, body: TogetherJob | OpenAIJob, payer: Payer) -> _Asked:
        names = self.names(payer.project)
        recipe = body.recipe(names.asked())
        validation = names.file(body.validation_file) if body.validation_file else None
        return _Asked(recipe, names.file(body.training_file), validation)

    async def _estimated(self, asked: _Asked, payer: Payer) -> Estimate:
        """Reading the data now finds a wrong line before the job is made."""
        recipe = asked.recipe
        tokens = await self.counting.tokens(recipe, asked.training, asked.validation, payer.project)
        return await self.charges.estimate(
            self._model(recipe, payer.project), tokens * recipe.epochs, payer.organisation
        )

    def _model(self, recipe: TrainRecipe, project: str) -> str:
        """A name of the model that is adapted, by whose price the job is charged."""
        begin = recipe.start or recipe.model
        assert isinstance(begin, str)
        found = self.store.get(begin)
        base = base_of(found)
        if base == found:
            return begin
        names = self.store.names_of(base.digest)  # of which other projects may have some
        return next((name for name in names if is_visible(name, project)), begin)

    def _create(self, job: str, body: Any, asked: _Asked, payer: Payer) -> Job:
        payload = {
            "recipe": asked.recipe.model_dump(mode="json"),
            "asked": _told_again(body),
            "lines": asked.training.lines,
            "bytes": asked.training.bytes,
        }
        return self.jobs.create(KIND, payload, caller=payer, id=job)


def _told_again(body: TogetherJob | OpenAIJob) -> Mapping[str, Any]:
    """The fields that no recipe has, as they were given."""
    names = {"model", "from_checkpoint", "training_file", "validation_file", "suffix", "metadata"}
    return {name: value for name, value in body.model_dump(include=names).items() if value}
