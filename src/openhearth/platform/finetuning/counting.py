"""On how many tokens a run would train: counted in a process apart, once for each content."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson

from openhearth.platform.apart import Apart
from openhearth.platform.files import File
from openhearth.platform.finetuning import heavy
from openhearth.store import Store

if TYPE_CHECKING:
    from openhearth.training import TrainRecipe

REMEMBERED = 1000  # counts

Metrics = dict[str, dict[str, Any]]
Key = tuple[str | int | None, ...]


class Counting:
    """Counts tokens, and remembers the last counts. For one event loop."""

    def __init__(self, store: Store, apart: Apart) -> None:
        self._store = store
        self._apart = apart
        self._known: OrderedDict[Key, Metrics] = OrderedDict()

    async def tokens(
        self, recipe: TrainRecipe, training: File, validation: File | None, owner: str
    ) -> int:
        """Of one pass over the files that the recipe names.

        Raises:
            NotFound, UsageError: as the run would when it begins.
            ApiError: as `Apart.do`.
        """
        from openhearth.training.material import check_forms

        asked = await asyncio.to_thread(self._asked, recipe)
        contents = (training.sha256, validation.sha256 if validation else None)
        key = (*contents, asked["model"], asked["max_tokens"], str(asked["inputs"]))
        if key not in self._known:
            reads = training.bytes + (validation.bytes if validation else 0)
            found = await self._apart.do(heavy.count, owner=owner, reads=reads, **asked)
            self._known[key] = orjson.loads(found)
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        check_forms(recipe, self._known[key])
        return int(self._known[key]["train"]["tokens"])

    def _asked(self, recipe: TrainRecipe) -> dict[str, Any]:
        """The arguments of `heavy.count`."""
        from openhearth.training.material import files_of, inputs_of
        from openhearth.training.train import base_and_start

        base, _ = base_and_start(self._store, recipe)
        return {
            "home": str(self._store.root),
            "model": base.digest,
            "files": {split: str(path) for split, path in files_of(recipe).items()},
            "max_tokens": recipe.max_tokens,
            "inputs": inputs_of(recipe),
        }
