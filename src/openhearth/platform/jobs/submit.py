"""Recipes that callers may send to `/v1/jobs`, with what they may name in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from openhearth.data import CurateRecipe
from openhearth.platform.errors import bad_request
from openhearth.platform.jobs.job import Owner
from openhearth.store.refs import NAME, file_of

PACKAGES = "python:"  # installed packages, which everybody may read
PLACES = ("mixture", "evaluations", "targets", "select", "signals")


def data(file: Callable[[str, str], Path]) -> Callable[[dict[str, Any], Owner], dict[str, Any]]:
    """The recipe of a `data` job, of which `file(id, project)` finds uploaded files.

    A recipe names places on the machine that carries it out; a caller may name only files of the
    project and installed packages, and results within the project's names.
    """

    def payload(asked: dict[str, Any], owner: Owner) -> dict[str, Any]:
        recipe = CurateRecipe.parse(asked)
        for field in PLACES:
            if asked.get(field):
                message = f"recipe.{field} names places of the server: use a source and rule sets."
                raise bad_request(message, "recipe", "unsupported_parameter")
        if any(".toml" in name or "/" in name for name in recipe.rules):
            raise bad_request("recipe.rules are names of sets that ship.", "recipe")
        words = recipe.tokens.tokenizer if recipe.tokens is not None else "none"
        if "/" in words or not NAME.fullmatch(words):  # nor a place, nor another project's
            raise bad_request("recipe.tokens.tokenizer is the name of a model.", "recipe")
        source = recipe.source or ""
        if not source.startswith(PACKAGES):
            source = str(file(source, owner.project))
        name = recipe.name and f"{owner.project}/{recipe.name}"
        if name:
            file_of(name)
        return recipe.model_copy(update={"source": source, "name": name}).model_dump(mode="json")

    return payload
