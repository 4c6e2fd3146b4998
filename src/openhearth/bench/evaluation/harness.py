"""Our models as `lm-eval` asks them: its tasks, its prompts and its measures, our computing.

What it says of texts (where a context ends, what stands before one that is empty, what is left out
where the context is too long) is as in its own backend for `transformers`, so that results agree.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs

from openhearth.bench.evaluation.journal import Journal
from openhearth.bench.evaluation.subject import Subject
from openhearth.bench.evaluation.windows import Scored, fitted, windows
from openhearth.errors import UsageError
from openhearth.inference import Answer, Stream
from openhearth.progress import Progress
from openhearth.store.artifact import canonical_json

AT_ONCE = 128  # requests between two lines of the journal
WRITTEN_AT_ONCE = 16  # answers, likewise
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")

Encoded = tuple[tuple[str, str], list[int], list[int]]


class HearthLM(TemplateLM):
    """A `Subject`, asked in the same groups of requests each time."""

    def __init__(self, subject: Subject, journal: Journal, progress: Progress) -> None:
        super().__init__()
        self._subject, self._journal, self._progress = subject, journal, progress

    @property
    def eot_token_id(self) -> int:
        return self._subject.tokenizer.end_of_text

    @property
    def prefix_token_id(self) -> int:
        return self._subject.first

    @property
    def tokenizer_name(self) -> str:
        """What tells prompts of one tokenizer from those of another."""
        return self._subject.base.digest

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        return self._subject.tokenizer.encode(string, add_bos=add_special_tokens is not False)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        return self._subject.tokenizer.chat(
            chat_history, add_generation_prompt=add_generation_prompt
        )

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Of whole texts, in windows that share nothing but one token."""
        most = self._subject.context

        def score(some: Sequence[Instance]) -> list[float]:
            parts = [
                windows(self.prefix_token_id, self.tok_encode(request.args[0]), most, 1)
                for request in some
            ]
            scores = iter(self._scores([part for one in parts for part in one]))
            return [sum(next(scores)[0] for _ in one) for one in parts]

        return self._in_groups("roll", requests, AT_ONCE, lambda one: one.args, score)

    def _loglikelihood_tokens(self, requests: list[Encoded], **_: Any) -> list[tuple[float, bool]]:
        most = self._subject.context

        def score(some: Sequence[Encoded]) -> list[tuple[float, bool]]:
            return self._scores([fitted(before, tokens, most) for _, before, tokens in some])

        found = self._in_groups("choose", requests, AT_ONCE, lambda one: one[1:], score)
        return [(likelihood, greedy) for likelihood, greedy in found]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        return self._in_groups(
            "write", requests, WRITTEN_AT_ONCE, lambda one: one.args, self._write
        )

    def _write(self, requests: Sequence[Instance]) -> list[str]:
        streams = [self._start(number, *one.args) for number, one in enumerate(requests)]
        texts = []
        for stream in streams:
            answer = Answer()
            for delta in stream:
                answer.add(delta)
            texts.append(answer.text)
        return texts

    def _start(self, number: int, text: str, wanted: dict[str, Any]) -> Stream:
        """An answer to a text. Where it is drawn, the draw follows from the text and its place."""
        wanted = normalize_gen_kwargs(wanted)
        room = self._subject.context - wanted["max_gen_toks"]
        if room < 1:
            raise UsageError(
                f"The task wants answers of {wanted['max_gen_toks']} tokens, and the model reads "
                f"{self._subject.context} in all: evaluate a model with a longer context."
            )
        return self._subject.engine.stream(
            self.tok_encode(text)[-room:] or [self.prefix_token_id],
            max_tokens=wanted["max_gen_toks"],
            stop=[stop for stop in wanted["until"] if stop],
            seed=zlib.crc32(text.encode()) + number,
            **{name: wanted[name] for name in SAMPLING if name in wanted},
        )

    def _scores(self, wanted: Sequence[Scored]) -> list[tuple[float, bool]]:
        scores = self._subject.likelihood.score(wanted)
        return [(-float(score.nats.sum()), score.greedy) for score in scores]

    def _in_groups(
        self,
        stage: str,
        requests: Sequence[Any],
        at_once: int,
        said: Callable[[Any], Any],
        work: Callable[[Sequence[Any]], list[Any]],
    ) -> list[Any]:
        """The work's results, those of groups that were done before out of the journal."""
        found: list[Any] = []
        for start in range(0, len(requests), at_once):
            some = requests[start : start + at_once]
            about = canonical_json([stage, [said(one) for one in some]])
            key = hashlib.sha256(about).hexdigest()
            found += self._journal.once(key, partial(work, some))
            self._progress(stage, len(found), len(requests), "")
        return found
