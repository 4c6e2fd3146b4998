"""What another server answers, one event of its stream at a time, as deltas.

Its JSON is a stranger's: shapes and ranges are checked, and what is not known is passed over.
Token ids come as `token_ids` (vLLM, SGLang, ours), within log-probabilities (llama-server), or in
the place of texts there (`token_id:7`, vLLM); where a server tells none, a delta has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.request import Delta, TokenLogprob, Usage

DONE = b"[DONE]"
ENDINGS = (None, "stop", "length", "content_filter")
AS_ID = "token_id:"
UNKNOWN = -1  # the id of a token of which only the text is known
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class Details(BaseModel):
    """How many tokens of the prompt were found in the server's cache."""

    cached_tokens: Count | None = None


class UsageTold(BaseModel):
    """Tokens read and written."""

    prompt_tokens: Count
    completion_tokens: Count
    prompt_tokens_details: Details | None = None


class Alternative(BaseModel):
    """A token that could have been chosen, in the form of OpenAI's chat."""

    token: str
    logprob: FiniteFloat
    id: TokenId | None = None


class Described(Alternative):
    """The token that was chosen."""

    top_logprobs: list[Alternative] = []


class Objects(BaseModel):
    """The form of OpenAI's chat, which llama-server uses everywhere."""

    content: list[Described]


class Lists(BaseModel):
    """The form of OpenAI's completions: entry i of each list is about token i."""

    tokens: list[str]
    token_logprobs: list[FiniteFloat]
    top_logprobs: list[dict[str, FiniteFloat] | None] | None = None
    token_ids: list[TokenId] | None = None


class Choice(BaseModel):
    """A step of the answer."""

    text: str | None = None
    finish_reason: str | None = None
    token_ids: list[TokenId] | None = None
    logprobs: Objects | Lists | None = None


class Chunk(BaseModel):
    """One event."""

    choices: list[Choice] = []
    usage: UsageTold | None = None
    error: Any = None


class Reader:
    """Reads the answers to requests for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def read(self, event: bytes, alternatives: int | None) -> Delta:
        """A delta, with as many alternatives to each token; `usage` and `finish_reason` may come
        in events of their own.

        Raises:
            HearthError: the event makes no sense, or tells of a failure.
        """
        try:
            chunk = Chunk.model_validate_json(event)
            if chunk.error is not None:
                raise HearthError(
                    "The server behind this model failed in the middle of the answer "
                    f"({message(chunk.error)}): send the request again."
                )
            choice = chunk.choices[0] if chunk.choices else Choice()
            described = _described(choice.logprobs) if alternatives is not None else []
            logprobs = tuple(self._describe(one, alternatives) for one in described)
        except (ValidationError, ValueError) as error:
            raise HearthError(
                "The server behind this model sent what is no piece of a completion "
                f"({message(str(error))}): is it an OpenAI-compatible server?"
            ) from error
        if choice.finish_reason not in ENDINGS:
            raise HearthError(
                "The server behind this model gave the answer up "
                f"({message(choice.finish_reason)}): send the request again."
            )
        tokens = choice.token_ids or _ids(choice.logprobs)
        kept = tuple(token for token in tokens if token not in self._tokenizer.eos_ids)
        usage = None if chunk.usage is None else _usage(chunk.usage)
        return Delta(choice.text or "", kept, logprobs, choice.finish_reason or None, usage)

    def _describe(self, described: Described, alternatives: int | None) -> TokenLogprob:
        chosen, text = self._identify(described)
        top = sorted(described.top_logprobs, key=lambda one: -one.logprob)[:alternatives]
        known = tuple((*self._identify(one), one.logprob) for one in top)
        return TokenLogprob(chosen, text, described.logprob, known)

    def _identify(self, one: Alternative) -> tuple[int, str]:
        """A token's id and text."""
        if one.token.startswith(AS_ID):
            token = int(one.token.removeprefix(AS_ID))
            if not 0 <= token <= self._tokenizer.largest_id:
                raise ValueError(f"there is no token {token}")
            return token, self._tokenizer.token_text(token)
        if one.id is not None:
            return one.id, one.token
        found = self._tokenizer.encode(one.token, add_bos=False)
        return found[0] if len(found) == 1 else UNKNOWN, one.token


def message(error: Any) -> str:
    """A server's own words for an error, wherever its JSON has them; on one line, and not many."""
    if isinstance(error, dict):
        error = next((error[key] for key in ("error", "message", "detail") if error.get(key)), "")
        return message(error)
    words = " ".join(str(error).split())
    return words[:300] or "it did not say why"


def _described(logprobs: Objects | Lists | None) -> list[Described]:
    """The second form in the shape of the first."""
    if logprobs is None or isinstance(logprobs, Objects):
        return logprobs.content if logprobs else []
    count = len(logprobs.tokens)
    ids: Iterable[int | None] = logprobs.token_ids or [None] * count
    tops = logprobs.top_logprobs or [None] * count
    return [
        Described(token=token, logprob=logprob, id=id_, top_logprobs=_alternatives(top))
        for token, logprob, id_, top in zip(
            logprobs.tokens, logprobs.token_logprobs, ids, tops, strict=True
        )
    ]


def _alternatives(top: dict[str, float] | None) -> list[Alternative]:
    return [Alternative(token=token, logprob=logprob) for token, logprob in (top or {}).items()]


def _ids(logprobs: Objects | Lists | None) -> list[int]:
    if isinstance(logprobs, Lists):
        return logprobs.token_ids or []
    ids = [one.id for one in logprobs.content] if logprobs else []
    return [token for token in ids if token is not None]


def _usage(told: UsageTold) -> Usage:
    details = told.prompt_tokens_details
    cached = details.cached_tokens if details else None
    return Usage(told.prompt_tokens, told.completion_tokens, cached or 0)
