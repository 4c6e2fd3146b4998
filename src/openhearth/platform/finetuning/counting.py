"""On how many tokens a run would train: counted in a process apart, once for each content."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from openhearth.platform.apart import Apart
from openhearth.platform.files import File
from openhearth.platform.finetuning import heavy
from openhearth.store import Store

if TYPE_CHECKING:
    from openhearth.training import TrainRecipe

REMEMBERED = 1000  # counts

Key = tuple[str | int | None, ...]


class Counting:
    """Counts tokens, and remembers the last counts. For one event loop."""

    def __init__(self, store: Store, apart: Apart) -> None:
        self._store = store
        self._apart = apart
        self._known: OrderedDict[Key, int] = OrderedDict()

    async def tokens(
        self, recipe: TrainRecipe, training: File, validation: File | None, owner: str
    ) -> int:
        """Of one pass over the files that the recipe names.

        Raises:
            UsageError: a line is wrong, or the method does not learn from such lines.
            ApiError: as `Apart.do`.
        """
        key = await asyncio.to_thread(self._key, recipe, training, validation)
        if key not in self._known:
            counted = await self._apart.do(
                heavy.count,
                owner=owner,
                reads=training.bytes + (validation.bytes if validation else 0),
                home=str(self._store.root),
                recipe=recipe.model_dump(mode="json"),
            )
            self._known[key] = int(counted)
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[key]

    def _key(self, recipe: TrainRecipe, training: File, validation: File | None) -> Key:
        """All on which a count depends."""
        begin = recipe.start or recipe.model
        assert isinstance(begin, str)
        return (
            self._store.get(begin).digest,
            training.sha256,
            validation.sha256 if validation else None,
            recipe.max_tokens,
            recipe.objective.model_dump_json(),
        )
