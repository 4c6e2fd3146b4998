"""`POST /v1/fine-tunes/preview` of Together's API: the first rows of a file as a run sees them.

Theirs shows imitation; the rows of a preference are its chosen and its rejected answer in turn.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from openhearth.data import Tokenizer
from openhearth.data.tokens.formats import read_rows
from openhearth.data.tokens.spans import Encoded, encode_row
from openhearth.errors import UsageError
from openhearth.platform.finetuning.asked import Asked, Body
from openhearth.platform.finetuning.limits import longest

MASKED = -100  # the label of a token that is not learnt
THEIR_NAMES = {"text": "general", "messages": "conversation", "prompt": "instruction"}


class PreviewRequest(Body):
    """The body of a request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "smollm2-135m", "training_file": "file-0", "top_k": 2}]
        }
    )

    model: str
    training_file: str
    top_k: Annotated[int, Field(ge=1, le=100)] = 10
    train_on_inputs: bool = False
    training_method: Literal["sft", "dpo"] = "sft"

    def reply(self, asked: Asked) -> PreviewReply:
        """The rows.

        Raises:
            NotFound: there is no such model or file.
            UsageError: a line is wrong, or of a format that the method does not learn from.
        """
        from openhearth.models import config_of

        _, model = asked.beginning(self.model)
        tokenizer, length = Tokenizer.load(model), longest(config_of(model))
        preference = self.training_method == "dpo"
        rows: list[PreviewRow] = []
        form = ""
        for _, form, row in islice(read_rows(asked.file(self.training_file)), self.top_k):
            if (form in ("preference", "chosen")) != preference or form == "pairs":
                raise UsageError(
                    f"The file is of the format `{form}`, which {self.training_method} does not "
                    "learn from: name another method or file."
                )
            for sequence in encode_row(tokenizer, form, row, self.train_on_inputs or "auto"):
                rows.append(PreviewRow.of(sequence, tokenizer, length))
        return PreviewReply(
            model=self.model,
            dataset_format=THEIR_NAMES.get(form, "preference"),
            max_seq_length=length,
            train_on_inputs=self.train_on_inputs or form == "text",
            rows=rows,
        )


class PreviewRow(BaseModel):
    """A sequence token by token; `trained_spans` are half-open ranges of tokens that are learnt."""

    input_ids: list[int]
    labels: list[int]
    tokens: list[str]
    trained_spans: list[tuple[int, int]]
    num_tokens: int
    num_trained_tokens: int
    truncated: bool

    @classmethod
    def of(cls, sequence: Encoded, tokenizer: Tokenizer, most: int) -> PreviewRow:
        """Of a sequence, of which no more than the first `most` tokens are seen."""
        seen = sequence.cut(most)
        pairs = list(zip(seen.ids, seen.counts, strict=True))
        edges = [0, *seen.counts, 0]
        starts = [i for i in range(len(pairs)) if edges[i + 1] and not edges[i]]
        stops = [i + 1 for i in range(len(pairs)) if edges[i + 1] and not edges[i + 2]]
        return cls(
            input_ids=seen.ids,
            labels=[token if counts else MASKED for token, counts in pairs],
            tokens=[tokenizer.token_text(token) for token in seen.ids],
            trained_spans=list(zip(starts, stops, strict=True)),
            num_tokens=len(seen.ids),
            num_trained_tokens=sum(seen.counts),
            truncated=len(seen.ids) < len(sequence.ids),
        )


class PreviewReply(BaseModel):
    """The rows, and what was made of the request."""

    model: str
    dataset_format: str
    max_seq_length: int
    train_on_inputs: bool
    rows: list[PreviewRow]
