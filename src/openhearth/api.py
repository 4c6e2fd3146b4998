"""The rooms in four functions, for scripts and notebooks: read, filter, tune, generate.

They work on the store at `OPENHEARTH_HOME` and take the same recipes as the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhearth.data import CurateRecipe, curate, read
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["filter", "generate", "read", "tune"]


def filter(
    source: str,
    rules: str | Sequence[str] = "docstrings",
    *,
    progress: Progress = silent,
    **settings: Any,
) -> Artifact:
    """A dataset of the text at `source`; `settings` are the other fields of `CurateRecipe`.

    Raises:
        NotFound: there is no such source or rule set.
        UsageError: a setting is wrong, or too little is left.
    """
    chosen = (rules,) if isinstance(rules, str) else tuple(rules)
    recipe = CurateRecipe.parse({"source": source, "rules": chosen} | settings)
    return curate(Store(), recipe, progress)


def tune(
    base: str, data: Artifact | str, *, progress: Progress = silent, **settings: Any
) -> Artifact:
    """An adapter of `base` for a dataset; `settings` are the other fields of `TuneRecipe`.

    A `base` of the catalogue that is not in the store yet is pulled.

    Raises:
        NotFound: there is no such model or dataset.
        UsageError: a setting is wrong.
    """
    from openhearth import models, training

    store = Store()
    if base in models.CATALOGUE and base not in store.refs.all():
        models.pull(store, base, progress=progress)
    digest = data if isinstance(data, str) else data.digest
    recipe = training.TuneRecipe.parse({"base": base, "data": digest} | settings)
    return training.tune(store, recipe, progress)


def generate(model: Artifact | str, prompt: str, **sampling: Any) -> str:
    """The answer of a model or adapter to one message; `sampling` are fields of `Sampling`.

    A model without a chat template continues the text instead.

    Loads the model for this one answer; open an `openhearth.inference.Engine` for many.

    Raises:
        NotFound: there is no such model.
        UsageError: a sampling parameter is out of range.
    """
    from openhearth.inference import Engine

    name = model if isinstance(model, str) else model.digest
    with Engine.open(Store(), [name]) as engine:
        framed = engine.tokenizer(name).chat_template
        message = [{"role": "user", "content": prompt}]
        return engine.generate(message if framed else prompt, **sampling).text
