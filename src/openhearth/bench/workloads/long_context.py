"""`long_context`: a question on facts that stand far apart in a text."""

from __future__ import annotations

from random import Random

from openhearth.bench.workloads.facts import Facts
from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.request import Draft, Spec, chat_body, nonce, said, words
from openhearth.bench.workloads.texts import paragraphs

FEWEST, MOST = 2, 4  # facts that are asked for
TOKENS_A_FACT = 32  # of the answer
SPACING = 300  # tokens of text for every fact that is not asked for


def long_context(spec: Spec) -> Draft:
    """`check` has the right values, in the order of the questions."""
    start = nonce(spec.rng, spec.writer.names)
    facts = Facts(spec.rng, spec.writer.names)
    asked = [facts.fact() for _ in range(min(max(spec.answer // TOKENS_A_FACT, FEWEST), MOST))]
    other = [facts.fact().sentence for _ in range(spec.prompt // SPACING)]
    questions = " ".join(fact.question for fact in asked)
    ask = f"{questions} Answer from the text above, in about {words(spec.answer)} words."
    told = [fact.sentence for fact in asked]
    room = spec.prompt - spec.count(" ".join([start, ask, *told, *other]))
    text = paragraphs(spread(spec.rng, told, [*fill(spec.sentence, spec.count, room), *other]))
    body = chat_body([said("user", start, text, ask)], spec.answer)
    return Draft(body, {"values": [fact.value for fact in asked]})


def spread(rng: Random, told: list[str], among: list[str]) -> list[str]:
    """These sentences among others, in an order of their own, each in a stretch of its own."""
    rng.shuffle(among)
    mixed, size = [], len(among) / len(told)
    for number, sentence in enumerate(rng.sample(told, len(told))):
        stretch = among[round(number * size) : round((number + 1) * size)]
        place = rng.randint(0, len(stretch))
        mixed += [*stretch[:place], sentence, *stretch[place:]]
    return mixed
