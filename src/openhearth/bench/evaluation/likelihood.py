"""How likely a model finds continuations: in flat batches, each shared beginning read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from openhearth.bench.evaluation.windows import Scored
from openhearth.models.mixers.attention import KeyValues
from openhearth.models.model import Model, State
from openhearth.models.ragged import Piece, Ragged, neighbours

ROWS = 2048  # tokens of a flat batch
HEAD_ROWS = 256  # that meet the head together: a large vocabulary makes them 300 MB
PAGE = 16  # tokens


@dataclass(frozen=True)
class Score:
    """Each token's loss in nats, float32 [n], and whether all of them were the likeliest."""

    nats: np.ndarray
    greedy: bool


class Likelihood:
    """Scores with one model, and an adapter of it if named."""

    def __init__(self, model: Model, adapter: str | None = None) -> None:
        model.config.check_writes()
        self._model, self._adapter = model, adapter
        # A state of one size cannot be shared without copying it: such models read all anew.
        states = model.new_states(1, PAGE, 1)
        self._shares = all(isinstance(state, KeyValues) for state in states)

    @torch.inference_mode()
    def score(self, wanted: Sequence[Scored]) -> list[Score]:
        """A score for each, in their order."""
        found: dict[int, Score] = {}
        alone = []
        for before, numbers in _by_beginning(wanted).items():
            if self._shares and len(numbers) > 1 and len(before) > PAGE:
                scores = self._branches(before, [wanted[i] for i in numbers])
                found |= dict(zip(numbers, scores, strict=True))
            else:
                alone += numbers
        alone.sort(key=lambda i: len(wanted[i].read))
        for group in neighbours((len(wanted[i].read) for i in alone), ROWS):
            chosen = [alone[g] for g in group]
            reads = [wanted[i].read for i in chosen]
            hidden = self._hidden(
                reads, [Piece(len(read), adapter=self._adapter) for read in reads]
            )
            found |= {
                i: self._score(rows, wanted[i].tokens)
                for i, rows in zip(chosen, hidden, strict=True)
            }
        return [found[i] for i in range(len(wanted))]

    def _branches(self, before: tuple[int, ...], wanted: Sequence[Scored]) -> list[Score]:
        """Continuations of one text, whose whole pages are computed once. Those that read the same
        (all of one token do) are one branch.
        """
        shared = (len(before) - 1) // PAGE
        branches = list(dict.fromkeys(one.read[shared * PAGE :] for one in wanted))
        ends = [shared + -(-len(branch) // PAGE) for branch in branches]
        own = np.cumsum([0, *(end - shared for end in ends)]) + shared
        states = self._model.new_states(int(own[-1]), PAGE)
        beginning = Piece(shared * PAGE, 0, range(shared), self._adapter)
        self._hidden([before[: shared * PAGE]], [beginning], states)
        found: dict[tuple[int, ...], torch.Tensor] = {}
        for group in neighbours(map(len, branches), ROWS):
            chosen = [branches[g] for g in group]
            pieces = [
                Piece(
                    len(branches[g]),
                    shared * PAGE,
                    [*range(shared), *range(own[g], own[g + 1])],
                    self._adapter,
                )
                for g in group
            ]
            found |= dict(zip(chosen, self._hidden(chosen, pieces, states), strict=True))
        return [self._score(found[one.read[shared * PAGE :]], one.tokens) for one in wanted]

    def _hidden(
        self,
        reads: Sequence[Sequence[int]],
        pieces: Sequence[Piece],
        states: Sequence[State] | None = None,
    ) -> Sequence[torch.Tensor]:
        """Hidden states of each text [length, width]."""
        tokens = torch.tensor([token for read in reads for token in read])
        return self._model(tokens, Ragged(pieces), states).split([len(read) for read in reads])

    def _score(self, hidden: torch.Tensor, tokens: tuple[int, ...]) -> Score:
        """Of the last rows, each of which predicts the token after it."""
        nats, greedy = [], True
        rows = hidden[len(hidden) - len(tokens) :].split(HEAD_ROWS)
        for part, aims in zip(rows, torch.tensor(tokens).split(HEAD_ROWS), strict=True):
            logits = self._model.logits(part)
            nats.append(F.cross_entropy(logits, aims, reduction="none").numpy())
            greedy = greedy and bool((logits.argmax(dim=-1) == aims).all())
        return Score(np.concatenate(nats), greedy)


def _by_beginning(wanted: Sequence[Scored]) -> dict[tuple[int, ...], list[int]]:
    """Numbers of the texts with each beginning."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, one in enumerate(wanted):
        groups.setdefault(one.before, []).append(number)
    return groups
