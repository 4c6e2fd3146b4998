"""What is asked of another server, in its own words.

All of them speak OpenAI's completions, which take a prompt as token ids; for what that API lacks,
each server has names of its own. `/v1/models` says in `owned_by` which one it is. Everything is
said, also what is the default here, because servers have other defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openhearth.errors import UsageError
from openhearth.inference.request import Constraint, Request, Sampling

Words = Callable[[Any], dict[str, Any]]


def _as_format(schema: Any) -> dict[str, Any]:
    named = {"name": "answer", "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


@dataclass(frozen=True)
class Dialect:
    """`every` is the `top_k` that keeps every token. `asks` goes with every request: what makes
    the server tell token ids. `schema` and `regex` put a constraint into words; None if it has
    none.
    """

    every: int = 0
    asks: Mapping[str, Any] = field(default_factory=dict)
    repetition_penalty: str = "repetition_penalty"
    schema: Words | None = _as_format
    regex: Words | None = None
    is_strict: bool = False  # parameters that are not OpenAI's may be refused

    def body(self, model: str, request: Request) -> dict[str, Any]:
        """The request as the body of `POST /v1/completions`, to be answered as a stream.

        Raises:
            UsageError: the server has no words for the constraint.
        """
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": model,
            "prompt": list(request.prompt),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if stop := [text for text in sampling.stop if text]:
            body["stop"] = stop
        if sampling.logit_bias:
            body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
        if sampling.logprobs is not None:
            body["logprobs"] = max(1, sampling.logprobs)  # some take 0 for none at all
        return body | self._beyond_openai(sampling) | self._constraint(sampling.constraint)

    def _beyond_openai(self, sampling: Sampling) -> dict[str, Any]:
        usual = Sampling()
        values = {
            "top_k": (sampling.top_k or self.every, usual.top_k),
            "min_p": (sampling.min_p, usual.min_p),
            self.repetition_penalty: (sampling.repetition_penalty, usual.repetition_penalty),
            "skip_special_tokens": (sampling.skip_special_tokens, usual.skip_special_tokens),
        }
        said = {name: v for name, (v, idle) in values.items() if v != idle or not self.is_strict}
        return {**said, **self.asks}

    def _constraint(self, constraint: Constraint | None) -> dict[str, Any]:
        if constraint is None:
            return {}
        if constraint.kind == "json_schema" and self.schema:
            return self.schema(json.loads(str(constraint.value)))
        if constraint.kind == "regex" and self.regex:
            return self.regex(constraint.value)
        if constraint.kind == "choice" and self.regex:
            return self.regex("|".join(map(re.escape, constraint.value)))
        raise UsageError(
            f"The server behind this model cannot hold an answer to a {constraint.kind}: leave it "
            "out, or use a model that runs here."
        )


DIALECTS = {
    "openhearth": Dialect(
        asks={"return_token_ids": True},
        regex=lambda pattern: {"response_format": {"type": "regex", "pattern": pattern}},
    ),
    "vllm": Dialect(
        every=-1,
        asks={"return_token_ids": True, "return_tokens_as_token_ids": True},
        regex=lambda pattern: {"structured_outputs": {"regex": pattern}},
    ),
    "sglang": Dialect(
        every=-1,
        asks={"return_token_ids": True},
        regex=lambda pattern: {"regex": pattern},
    ),
    # Of special tokens it tells the text only if it was started with `--special`.
    "llamacpp": Dialect(
        repetition_penalty="repeat_penalty", schema=lambda schema: {"json_schema": schema}
    ),
}
PLAIN = Dialect(is_strict=True)
