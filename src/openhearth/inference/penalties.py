"""What a sequence's own tokens, and the caller's wishes, do to the logits of its next token.

Repetition (Keskar et al. 2019, arXiv:1909.05858) looks at prompt and answer; presence and
frequency, as in the OpenAI API, at the answer alone; then the bias is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from openhearth.errors import UsageError
from openhearth.inference.request import Sampling


@dataclass(frozen=True)
class Penalties:
    """The tokens whose logits change, in ascending order, with what is known of each [n]."""

    sampling: Sampling
    tokens: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]  # in the answer
    repeated: npt.NDArray[np.bool_]  # in prompt or answer
    bias: npt.NDArray[np.float32]

    @classmethod
    def of(cls, sampling: Sampling, prompt: Sequence[int], vocab_size: int) -> Penalties | None:
        """Those of a sequence that begins; None when nothing changes any logit, ever.

        Raises:
            UsageError: `logit_bias` names a token that is not in the vocabulary.
        """
        for token in sampling.logit_bias:
            if not 0 <= token < vocab_size:
                raise UsageError(
                    f"logit_bias names token {token}, but the model's are 0 to {vocab_size - 1}."
                )
        if not sampling.logit_bias and not _counts(sampling):
            return None
        seen = set(prompt) if sampling.repetition_penalty != 1 else set()
        tokens = np.array(sorted({*seen, *sampling.logit_bias}), dtype=np.int32)
        return cls(
            sampling,
            tokens,
            np.zeros(len(tokens), dtype=np.int32),
            np.array([token in seen for token in tokens.tolist()], dtype=bool),
            np.array([sampling.logit_bias.get(t, 0) for t in tokens.tolist()], dtype=np.float32),
        )

    def after(self, token: int) -> Penalties:
        """Those that hold once the answer has one more token."""
        if not _counts(self.sampling):
            return self
        place = int(np.searchsorted(self.tokens, token))
        known = self
        if place == len(self.tokens) or self.tokens[place] != token:
            known = replace(
                self,
                tokens=np.insert(self.tokens, place, token),
                counts=np.insert(self.counts, place, 0),
                repeated=np.insert(self.repeated, place, True),
                bias=np.insert(self.bias, place, 0),
            )
        counts, repeated = known.counts.copy(), known.repeated.copy()
        counts[place] += 1
        repeated[place] = True
        return replace(known, counts=counts, repeated=repeated)

    def values(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The new logits [n] of `tokens`, from a row [vocab_size]; all in fp32."""
        sampling, new = self.sampling, logits[self.tokens]
        if not _counts(sampling):
            return new + self.bias
        factor = np.float32(sampling.repetition_penalty)
        new = np.where(self.repeated, np.where(new > 0, new / factor, new * factor), new)
        fixed = sampling.presence_penalty * (self.counts > 0)
        new = new - (fixed + sampling.frequency_penalty * self.counts).astype(np.float32)
        return new + self.bias


def _counts(sampling: Sampling) -> bool:
    """Whether the tokens of the answer matter."""
    return bool(
        sampling.repetition_penalty != 1 or sampling.presence_penalty or sampling.frequency_penalty
    )
