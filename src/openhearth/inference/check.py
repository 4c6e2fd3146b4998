"""What a request must be, whatever computes it: asked before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral

from openhearth.errors import UsageError
from openhearth.inference.request import ContextTooLong, Request


@dataclass(frozen=True)
class Sizes:
    """How many tokens a model knows, and how many its context holds."""

    vocab_size: int
    context_length: int


def check_request(request: Request, model: Sizes) -> None:
    """Make sure that a model can be asked this.

    Raises:
        UsageError: more log-probabilities are asked for than it has tokens, or as `check_prompt`.
        ContextTooLong: as `check_prompt`.
    """
    sampling = request.sampling
    check_prompt(request.prompt, model, wanted=sampling.max_tokens, biased=sampling.logit_bias)
    if (sampling.logprobs or 0) > model.vocab_size:
        raise UsageError(
            f"logprobs is {sampling.logprobs}, but this model has only {model.vocab_size} tokens."
        )


def check_prompt(
    prompt: Sequence[int], model: Sizes, *, wanted: int, biased: Iterable[int] = ()
) -> None:
    """The same of a prompt, of tokens with a bias, and of the number of tokens that are to come.

    Raises:
        UsageError: the prompt is empty, or a token is not in the vocabulary.
        ContextTooLong: prompt and answer do not fit the context.
    """
    if not prompt:
        raise UsageError("The prompt is empty: give at least one token.")
    ids = [*prompt, *biased]
    whole = all(issubclass(kind, Integral) for kind in set(map(type, ids)))
    if not whole or not all(0 <= token < model.vocab_size for token in ids):
        raise UsageError(
            "A token id lies outside the vocabulary, or is no whole number: use ids from 0 to "
            f"{model.vocab_size - 1}."
        )
    if len(prompt) + wanted > model.context_length:
        raise ContextTooLong(
            f"The prompt has {len(prompt)} tokens and max_tokens is {wanted}, but the context "
            f"holds {model.context_length}: shorten the prompt or ask for less."
        )
