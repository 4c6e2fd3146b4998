"""Which token comes next: penalties, temperature, filters, then the Gumbel-max trick.

The noise comes from a counter-based generator (Philox, Salmon et al. 2011) keyed by the request's
seed and the token's position, so the choice depends neither on what else is in the batch nor on
how often the engine was asked, and can be repeated afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from openhearth.inference.request import Sampling


def sample(
    logits: torch.Tensor,
    sampling: Sampling,
    *,
    seed: int,
    position: int,
    prompt: Sequence[int],
    answer: Sequence[int],
) -> int:
    """The token after `prompt` and `answer`, given its logits [vocab_size] in fp32."""
    logits = penalise(logits, sampling, prompt, answer)
    if sampling.temperature == 0 or sampling.top_k == 1:
        return int(logits.argmax())
    kept = keep(logits / sampling.temperature, sampling)
    return int((kept + gumbel(seed, position, len(kept))).argmax())


def penalise(
    logits: torch.Tensor, sampling: Sampling, prompt: Sequence[int], answer: Sequence[int]
) -> torch.Tensor:
    """Logits after the repetition, presence and frequency penalties and the bias.

    Repetition (Keskar et al. 2019, arXiv:1909.05858) looks at prompt and answer; presence and
    frequency, as in the OpenAI API, at the answer alone.
    """
    logits = logits.clone()
    if sampling.repetition_penalty != 1.0:
        seen = torch.tensor(sorted({*prompt, *answer}))
        factor, old = sampling.repetition_penalty, logits[seen]
        logits[seen] = torch.where(old > 0, old / factor, old * factor)
    if answer and (sampling.presence_penalty or sampling.frequency_penalty):
        ids, counts = torch.tensor(answer).unique(return_counts=True)
        logits[ids] -= sampling.presence_penalty + sampling.frequency_penalty * counts
    for token, bias in sampling.logit_bias.items():
        logits[token] += bias
    return logits


def keep(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Logits with what top-k, top-p and min-p leave out at minus infinity.

    Each filter is judged on the distribution before any of them; the likeliest token always stays.
    """
    dropped = torch.zeros_like(logits, dtype=torch.bool)
    if 0 < sampling.top_k < len(logits):
        dropped |= logits < logits.topk(sampling.top_k).values[-1]
    if sampling.min_p > 0:
        dropped |= logits < logits.max() + np.log(sampling.min_p)
    if sampling.top_p < 1:
        sorted_logits, order = logits.sort(descending=True, stable=True)
        probabilities = sorted_logits.softmax(-1)
        before = probabilities.cumsum(-1) - probabilities
        before[0] = -1.0  # stays even with top_p 0
        dropped[order[before >= sampling.top_p]] = True
    return logits.masked_fill(dropped, -torch.inf)


def gumbel(seed: int, position: int, size: int) -> torch.Tensor:
    """`size` numbers from the standard Gumbel distribution, the same for the same arguments."""
    philox = np.random.Philox(key=np.array([seed, position], dtype=np.uint64))
    uniform = np.random.Generator(philox).random(size, dtype=np.float32)
    tiny = np.finfo(np.float32).tiny
    return torch.from_numpy(-np.log(-np.log(np.clip(uniform, tiny, 1 - 2**-24))))
