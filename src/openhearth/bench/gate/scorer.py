"""A model of the store, in fp32, that scores the tokens of others' answers (rules 32 and 37)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from openhearth.bench.gate.places import UNKNOWN, text_of
from openhearth.bench.gate.sampling import MOST
from openhearth.bench.records import Record
from openhearth.data import Tokenizer
from openhearth.errors import UsageError
from openhearth.inference import Sampling
from openhearth.inference.noise import gumbel
from openhearth.inference.sampler import inverse_temperature, keep
from openhearth.models import load_model
from openhearth.models.ragged import Piece, Ragged
from openhearth.progress import Progress, silent
from openhearth.store import Artifact

TOP = 20  # tokens that are named at each place, beside those that the server named


class Scorer:
    """Gives each record with log-probabilities another, in which they are the reference's."""

    def __init__(self, artifact: Artifact) -> None:
        self._tokenizer = Tokenizer.load(artifact)
        self._model = load_model(artifact, "float32").eval()
        self._texts = [self._tokenizer.token_text(i) for i in range(self._tokenizer.largest_id + 1)]
        self._ids: dict[str, int] = {}
        for number, text in enumerate(self._texts):
            self._ids.setdefault(text, number)

    def score(self, records: Sequence[Record], progress: Progress = silent) -> list[Record]:
        """Records of the same questions, whose tokens are those of the served answers as far as
        the tokenizer makes the same ones of the text.
        """
        told = [record for record in records if record.logprobs and record.failure is None]
        found = []
        for record in told:
            if (scored := self._score(record)) is not None:
                found.append(scored)
            progress("score", len(found), len(told), "answers")
        return found

    @torch.inference_mode()
    def _score(self, record: Record) -> Record | None:
        try:
            framed = self._tokenizer.chat(record.request["messages"], add_generation_prompt=True)
        except (UsageError, KeyError):
            return None
        prompt = self._tokenizer.encode(framed)
        answer = self._tokens(record)
        if not answer:
            return None
        tokens = torch.tensor([*prompt, *answer])
        hidden = self._model(tokens, Ragged([Piece(len(tokens))]))
        rows = hidden[len(prompt) - 1 : -1]
        logits = self._model.logits(rows).float().numpy()
        return Record(
            number=record.number,
            workload=record.workload,
            route=record.route,
            request=record.request,
            due=0.0,
            check=record.check,
            logprobs=[
                self._token(record, place, token, logits[place], len(prompt))
                for place, token in enumerate(answer)
            ],
        )

    def _tokens(self, record: Record) -> list[int]:
        """The answer's tokens, up to the first that the tokenizer would not make of the text."""
        text = "".join(text_of(token) for token in record.logprobs)
        ids = self._tokenizer.encode(text, add_bos=False)
        same = []
        for number, token in zip(ids, record.logprobs, strict=False):
            if self._texts[number] != text_of(token) or UNKNOWN in self._texts[number]:
                break
            same.append(number)
        return same

    def _token(
        self, record: Record, place: int, token: int, logits: np.ndarray, before: int
    ) -> dict[str, Any]:
        logs = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        named = {int(i) for i in np.argpartition(-logs, TOP)[:TOP]} | {token}
        for other in record.logprobs[place].get("top_logprobs") or ():
            if (number := self._ids.get(text_of(other))) is not None:
                named.add(number)
        scored: dict[str, Any] = {
            "token": self._texts[token],
            "logprob": float(logs[token]),
            "top_logprobs": [
                {"token": self._texts[i], "logprob": float(logs[i])}
                for i in sorted(named, key=lambda i: -logs[i])
            ],
        }
        if (seed := record.request.get("seed")) is not None:
            scored["gap"] = _gap(record.request, seed, before + place, token, logits)
        return scored


def _gap(
    request: dict[str, Any], seed: int, position: int, token: int, logits: np.ndarray
) -> float:
    """By how much the token loses against the one that the published numbers draw, in nats."""
    sampling = Sampling(
        temperature=request.get("temperature", 1.0), top_p=request.get("top_p", 1.0)
    )
    distances = (logits - logits.max()) * inverse_temperature(sampling)
    scores = keep(distances, sampling) + gumbel(seed, position, len(logits))
    return float(min(MOST, scores.max() - scores[token]))
