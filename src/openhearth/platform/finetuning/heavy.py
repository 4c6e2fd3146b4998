"""What goes through whole files, as a process apart does it, with arguments as JSON has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from openhearth.data import Tokenizer
from openhearth.data.tokens import measure_file
from openhearth.platform.finetuning.archive import Form, archive, kept
from openhearth.platform.finetuning.asked import Asked
from openhearth.platform.finetuning.preview import PreviewRequest
from openhearth.store import Store


def count(
    home: str, model: str, files: dict[str, str], max_tokens: int, inputs: bool | str
) -> bytes:
    """What there is in files for a model of this digest, by their splits. Raises what
    `measure_file` does.
    """
    tokenizer = Tokenizer.load(Store(home).load(model))
    return orjson.dumps(
        {
            split: measure_file(Path(path), tokenizer, max_tokens=max_tokens, inputs=inputs)
            for split, path in files.items()
        }
    )


def preview(home: str, body: dict[str, Any], file: str) -> bytes:
    """The reply to a request about a file at this path. Raises what `PreviewRequest.reply` does."""
    asked = Asked(Store(home), "", lambda _: Path(file), lambda _: None)
    return PreviewRequest.model_validate(body).reply(asked).model_dump_json().encode()


def pack(home: str, digest: str, form: Form) -> bytes:
    """Nothing, once the archive is there. Raises what `archive` does."""
    artifact = Store(home).load(digest)
    if kept(artifact, form) is None:  # whoever came before may have asked for the same
        archive(artifact, form)
    return b""
