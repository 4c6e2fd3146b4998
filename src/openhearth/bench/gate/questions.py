"""What the gate asks: prompts answered many times, and tasks (rules 31 to 37).

Each question is asked alone, in an order that mixes the kinds, and as many of them as the recipe
says again within the timed load. Nothing that is sent tells a question from the load's requests:
the prompts are made as theirs are, and their sampling is one that the load has too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from random import Random
from typing import Any

from openhearth.bench.draws import stream
from openhearth.bench.recipe import Gate, Recipe
from openhearth.bench.records import Ask
from openhearth.bench.tasks import TASKS, make
from openhearth.bench.workloads.chat import chat
from openhearth.bench.workloads.lengths import four_bytes
from openhearth.bench.workloads.plan import NAMED, WARM
from openhearth.bench.workloads.request import Spec
from openhearth.bench.workloads.texts import Writer

PROMPT = 64  # tokens of a prompt that is answered many times
TOGETHER = 4  # times that a prompt is asked in a row under load
GREEDY: dict[str, Any] = {"temperature": 0}
LOGPROBS = {"logprobs": True, "top_logprobs": NAMED}

Body = dict[str, Any]


def questions(recipe: Recipe, gate: Gate, seed: int) -> list[Ask]:
    """All of them, to be asked alone. They follow from the arguments."""
    bodies = [_prompt(gate, stream(seed, "gate", number)) for number in range(gate.prompts)]
    samples = [
        _ask("samples", body | WARM, prompt=number, sample=sample)
        for sample in range(gate.samples)
        for number, body in enumerate(bodies)
    ]
    named = [
        _ask("logprobs", body | GREEDY | LOGPROBS, prompt=number)
        for number, body in enumerate(bodies)
    ]
    rng = stream(seed, "gate", "seeds")
    seeded = [
        _ask("seeded", body | WARM | LOGPROBS | {"seed": rng.getrandbits(31)}, prompt=number)
        for number, body in enumerate(bodies)
    ]
    kinds = [samples, named, seeded, *_tasks(recipe, gate, seed)]
    return _numbered(chain.from_iterable(zip_longest(*kinds)))


def canaries(asked: Sequence[Ask]) -> list[Ask]:
    """The order in which they are mixed into a load: a prompt four times in a row, about half of
    them drawn, so that a short load too has drawn answers of one prompt to compare; and a question
    of another kind after each two.
    """
    samples = [ask for ask in asked if ask.check["gate"] == "samples"]
    by_prompt = sorted(
        samples, key=lambda ask: (ask.check["sample"] // TOGETHER, ask.check["prompt"])
    )
    others = iter(ask for ask in asked if ask.check["gate"] in ("task", "tools"))
    mixed: list[Ask] = []
    for first, second in zip(by_prompt[::2], by_prompt[1::2], strict=False):
        mixed += [first, second, *([other] if (other := next(others, None)) else [])]
    return mixed


def _tasks(recipe: Recipe, gate: Gate, seed: int) -> list[list[Ask]]:
    """Of each task, and of tools."""
    return [
        [
            _ask(
                "tools" if task == "tools" else "task",
                question.body | GREEDY,
                task=task,
                level=question.level,
                right=question.check,
            )
            for question in make(task, stream(seed, "gate", task), gate.tasks, recipe.tier)
        ]
        for task in (*TASKS, "tools")
    ]


def _prompt(gate: Gate, rng: Random) -> Body:
    """As the workload `chat` makes them, but short, and with the gate's length of an answer."""
    writer = Writer(rng)
    spec = Spec(rng, PROMPT, gate.max_tokens // 2, four_bytes, writer, writer.sentence)
    return chat(spec).body | {"max_tokens": gate.max_tokens}


def _ask(kind: str, body: Body, **check: Any) -> Ask:
    return Ask(0, "gate", "chat/completions", body, check={"gate": kind} | check)


def _numbered(asked: Any) -> list[Ask]:
    """Each with its number, by which it is known under load and of the reference too."""
    there = [ask for ask in asked if ask is not None]
    return [
        replace(ask, number=number, check=ask.check | {"question": number})
        for number, ask in enumerate(there)
    ]
