"""What goes through whole files, as a process apart does it, with arguments as JSON has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openhearth.platform.finetuning.archive import Form, archive
from openhearth.platform.finetuning.asked import Asked
from openhearth.platform.finetuning.preview import PreviewRequest
from openhearth.store import Store


def count(home: str, recipe: dict[str, Any]) -> bytes:
    """On how many tokens one pass of a recipe over its file trains. Raises what reading the data
    for the run would raise.
    """
    from openhearth.training import TrainRecipe
    from openhearth.training.preview import tokens_of

    return str(tokens_of(Store(home), TrainRecipe.parse(recipe))).encode()


def preview(home: str, body: dict[str, Any], file: str) -> bytes:
    """The reply to a request about a file at this path. Raises what `PreviewRequest.reply` does."""
    asked = Asked(Store(home), "", lambda _: Path(file), lambda _: None)
    return PreviewRequest.model_validate(body).reply(asked).model_dump_json().encode()


def pack(home: str, digest: str, form: Form) -> bytes:
    """Nothing, once the archive is there. Raises what `archive` does."""
    archive(Store(home).load(digest), form)
    return b""
