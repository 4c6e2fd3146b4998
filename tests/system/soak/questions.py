"""What is asked: questions by number, each the same whenever it is asked."""

from __future__ import annotations

import dataclasses
import json
import random
from dataclasses import dataclass

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference import Constraint, ContextTooLong, Sampling
from openhearth.inference.request import BadConstraint

BASE, ADAPTERS, BROKEN = "tiny", ("one", "two", "three"), "broken"
TOKENS = range(5, 300)  # of the vocabulary, without special ones
STEMS, LONGEST_STEM, LONGEST_REST = 12, 150, 40  # most prompts begin alike
LONGEST_ANSWER = 40


@dataclass(frozen=True)
class Question:
    """A prompt for a model; `error` is what is to come instead of an answer."""

    model: str
    prompt: list[int]
    sampling: Sampling
    error: type[HearthError] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether its answer is always the same."""
        return self.sampling.seed is not None or self.sampling.temperature == 0

    def choice(self, number: int) -> Question:
        """The question of which the answer is choice `number` of `n`: see the platform."""
        seed = self.sampling.seed
        if seed is None:
            return self
        return dataclasses.replace(
            self, sampling=dataclasses.replace(self.sampling, seed=seed + number)
        )


def question(number: int, seed: int) -> Question:
    """The question of this number among those of `seed`."""
    chance = random.Random(f"{seed}/{number}")
    stem = random.Random(f"{seed}/stem {chance.randrange(STEMS)}").choices(TOKENS, k=LONGEST_STEM)
    rest = chance.choices(TOKENS, k=chance.randrange(1, LONGEST_REST))
    prompt = stem[: chance.randrange(LONGEST_STEM)] + rest
    asked = Question(chance.choice((BASE, *ADAPTERS)), prompt, _sampling(chance))
    return _spoilt(asked, chance) if chance.random() < 0.06 else asked


def _sampling(chance: random.Random) -> Sampling:
    return Sampling(
        max_tokens=chance.randrange(1, LONGEST_ANSWER),
        temperature=chance.choice([0, 0, 0.7, 1.0, 1.6]),
        top_p=chance.choice([1, 1, 0.9, 0.3]),
        top_k=chance.choice([0, 0, 5, 50]),
        min_p=chance.choice([0, 0, 0, 0.05]),
        repetition_penalty=chance.choice([1, 1, 1, 1.2]),
        presence_penalty=chance.choice([0, 0, 0, 0.5]),
        frequency_penalty=chance.choice([0, 0, 0, -0.5]),
        logit_bias={chance.choice(TOKENS): 4.0} if chance.random() < 0.2 else {},
        seed=chance.randrange(2**40) if chance.random() < 0.9 else None,
        stop=tuple(chance.choices(["e", " t", "ing", "\n"], k=chance.choice([0, 0, 0, 1, 3]))),
        logprobs=chance.choice([None, None, 0, 3]),
        constraint=_constraint(chance) if chance.random() < 0.25 else None,
    )


def _constraint(chance: random.Random) -> Constraint:
    letter, few = chance.choice("bcdefgh"), chance.randrange(1, 4)
    schema = {
        "type": "object",
        "properties": {letter: {"type": "integer"}, "name": {"enum": ["fox", "lazy dog"]}},
        "required": [letter, "name"],
        "additionalProperties": False,
    }
    return chance.choice(
        [
            Constraint("regex", f"[a-{letter}]{{{few},9}} jumps over [0-9]{{{few}}}"),
            Constraint("choice", ("The lazy dog", "The quick brown fox", letter * few)),
            Constraint("json_schema", json.dumps(schema)),
            Constraint("grammar", f'start: "{letter}" WORD\nWORD: /[a-z]{{1,{few}}}/'),
        ]
    )


def _spoilt(asked: Question, chance: random.Random) -> Question:
    """What must fail, and fail alone."""
    impossible = dataclasses.replace(asked.sampling, constraint=Constraint("regex", "[0-9"))
    changes = [
        {"model": BROKEN, "error": HearthError},
        {"model": "nobody", "error": NotFound},
        {"prompt": [], "error": UsageError},
        {"prompt": [*asked.prompt, 10**6], "error": UsageError},
        {"prompt": [5] * 512, "error": ContextTooLong},
        {"sampling": impossible, "error": BadConstraint},
    ]
    return dataclasses.replace(asked, **chance.choice(changes))
