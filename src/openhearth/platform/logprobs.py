"""Log-probabilities in the two forms that clients ask for.

OpenAI's chat asks with a boolean and gets one object per token; Together, and OpenAI's older
completions, ask with a number and get parallel lists. A token's text may be half a character; then
its bytes are unknown to the text and given as null.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from openhearth.inference.request import TokenLogprob

LEAST = -9999.0  # what the API writes for minus infinity, which JSON cannot


class Alternative(BaseModel):
    """A token that could have been chosen."""

    token: str
    logprob: float
    bytes: list[int] | None


class ChosenToken(Alternative):
    """The token that was chosen, and the likeliest ones at its place."""

    top_logprobs: list[Alternative]


class TokenObjects(BaseModel):
    """OpenAI's chat form."""

    content: list[ChosenToken]
    refusal: None = None


class TokenLists(BaseModel):
    """Together's form, and that of OpenAI's completions: entry i of each list is about token i."""

    tokens: list[str]
    token_ids: list[int]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


def finite(logprob: float) -> float:
    """A log-probability that JSON can hold."""
    return max(logprob, LEAST)


def _alternative(text: str, logprob: float) -> Alternative:
    raw = None if "\ufffd" in text else list(text.encode())
    return Alternative(token=text, logprob=finite(logprob), bytes=raw)


def token_objects(tokens: Sequence[TokenLogprob]) -> TokenObjects:
    """OpenAI's chat form of these tokens."""
    return TokenObjects(
        content=[
            ChosenToken(
                **_alternative(token.text, token.logprob).model_dump(),
                top_logprobs=[_alternative(text, logprob) for _, text, logprob in token.top],
            )
            for token in tokens
        ]
    )


def token_lists(tokens: Sequence[TokenLogprob], offset: int = 0) -> TokenLists:
    """The form of parallel lists; the first token's text begins at character `offset`."""
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return TokenLists(
        tokens=[token.text for token in tokens],
        token_ids=[token.id for token in tokens],
        token_logprobs=[finite(token.logprob) for token in tokens],
        # Reversed, so that of two tokens with one text the likelier stays.
        top_logprobs=[{text: finite(lp) for _, text, lp in reversed(t.top)} for t in tokens],
        text_offset=offsets,
    )
