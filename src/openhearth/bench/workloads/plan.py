"""The requests of one point: which workload is due when, what is asked, and how it is sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from math import ceil
from random import Random
from typing import Any

from openhearth.bench.draws import fair, stream
from openhearth.bench.recipe import Recipe
from openhearth.bench.records import Ask
from openhearth.bench.workloads import agent, embeddings
from openhearth.bench.workloads.chat import chat
from openhearth.bench.workloads.code import code
from openhearth.bench.workloads.corpus import read_texts
from openhearth.bench.workloads.lengths import LENGTHS, Count
from openhearth.bench.workloads.long_context import long_context
from openhearth.bench.workloads.request import Draft, Spec
from openhearth.bench.workloads.structured import structured
from openhearth.bench.workloads.summary import summary
from openhearth.bench.workloads.texts import Writer

SINGLE: dict[str, Callable[[Spec], Draft]] = {
    "chat": chat,
    "batch": chat,
    "long_context": long_context,
    "code": code,
    "summary": summary,
    "structured": structured,
}
CANARY = ""  # the workload of a slot that the gate has
SAMPLED, SEEDED, LOGPROBS, HANG_UP = 0.5, 0.5, 0.05, 0.05  # shares (rule 10)
WARM = {"temperature": 0.7, "top_p": 0.95}
NAMED = 5  # choices a token, of those who ask for log-probabilities
MANNERS = {"temperature", "top_p", "seed", "logprobs", "top_logprobs"}
GIVEN_UP = (0.1, 0.6)  # after this part of an answer


def asks(
    recipe: Recipe,
    seed: int,
    times: Sequence[float],
    count: Count,
    *,
    canaries: Sequence[Ask] = (),
) -> list[Ask]:
    """As many requests as there are due times, in seconds, which they have in their order.

    Each workload has its share of the requests, to the last one. The turns of a session count each:
    a session begins at one of their times, and the others of these times stay empty. Of the
    `canaries`, the gate's questions, as many as `recipe.gate` says are mixed in, evenly over the
    time and in their order, from a place of the seed's on; neither route nor sampling tells them
    from others (rule 31). `count` gives a text's tokens. The same arguments give the same requests
    anywhere, and those of two seeds share no text (rules 6 and 9).

    Raises:
        NotFound: the recipe's texts are not there.
        UsageError: there is nothing in them.
    """
    slots = _slots(recipe, stream(seed, "slots"), len(times), bool(canaries))
    maker = _Maker(recipe, seed, count)
    turn = _turn(canaries, stream(seed, "canaries"))
    made: list[Ask] = []
    for at, workload in zip(times, slots, strict=True):
        if workload == CANARY:
            made.append(_canary(next(turn), len(made), at))
        elif workload is not None:
            made += maker.make(workload, len(made), at)
    return _with_manners(made, stream(seed, "manners"))


def shares(weights: Mapping[Any, float], count: int) -> dict[Any, int]:
    """How many of `count` each has: whole numbers, by the largest remainders."""
    exact = {name: count * weight / sum(weights.values()) for name, weight in weights.items()}
    whole = {name: int(value) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_rest[: count - sum(whole.values())]:
        whole[name] += 1
    return whole


def _slots(recipe: Recipe, rng: Random, count: int, gated: bool) -> list[Any]:
    """Which workload each due time has, or how many turns the session that begins then."""
    share = recipe.gate.canaries if recipe.gate and gated else 0.0
    reserved = ceil(share * count)
    drawn: list[Any] = []
    for workload, number in shares(recipe.workloads, count - reserved).items():
        if workload == "agent":
            turns = agent.split(rng, number)
            drawn += [*turns, *[None] * (number - len(turns))]
        else:
            drawn += [workload] * number
    rng.shuffle(drawn)
    for number in range(reserved):  # one in each of as many stretches of the load
        place = int((number + rng.random()) * count / reserved)
        drawn.insert(place, CANARY)
    return drawn


def _turn(canaries: Sequence[Ask], rng: Random) -> Iterator[Ask]:
    """Again and again, in their order, from some place on."""
    begin = int(rng.random() * len(canaries))
    return cycle([*canaries[begin:], *canaries[:begin]])


def _canary(question: Ask, number: int, at: float) -> Ask:
    """Without the ways of sampling that it may have of its own."""
    body = {field: value for field, value in question.body.items() if field not in MANNERS}
    return replace(question, number=number, body=body, at=at, after=None, hang_up=None)


class _Maker:
    """Makes requests, each from random numbers of its own."""

    def __init__(self, recipe: Recipe, seed: int, count: Count) -> None:
        self._tier, self._seed, self._count = recipe.tier, seed, count
        self._texts = read_texts(recipe.texts) if recipe.texts else None
        self._common = agent.shared(stream(seed, "agent"), recipe.tier, count)

    def make(self, workload: str | int, number: int, at: float) -> Iterator[Ask]:
        """The requests of a slot: one, or the turns of a session."""
        rng = stream(self._seed, workload, number)
        if workload == "embeddings":
            texts = [embeddings.text(self._spec(workload, rng)) for _ in range(embeddings.TEXTS)]
            yield Ask(number, workload, "embeddings", {"input": texts}, at)
        elif isinstance(workload, int):
            yield from self._session(rng, workload, number, at)
        else:
            draft = SINGLE[workload](self._spec(workload, rng))
            yield Ask(number, workload, "chat/completions", draft.body, at, check=draft.check)

    def _session(self, rng: Random, turns: int, first: int, at: float) -> Iterator[Ask]:
        writer = Writer(rng)
        specs = (self._spec("agent", rng, writer) for _ in range(turns))
        for number, draft in enumerate(agent.session(specs, self._common), first):
            begins = number == first
            pause = rng.expovariate(1 / agent.PAUSE_S)
            yield Ask(
                number,
                "agent",
                "chat/completions",
                draft.body,
                at if begins else pause,
                after=None if begins else number - 1,
            )

    def _spec(self, workload: str, rng: Random, writer: Writer | None = None) -> Spec:
        lengths, writer = LENGTHS[workload], writer or Writer(rng)
        answer = lengths.answer.draw(rng, self._tier) if lengths.answer else 0
        sentence = self._texts.reader(rng) if self._texts else writer.sentence
        prompt = lengths.prompt.draw(rng, self._tier)
        return Spec(rng, prompt, answer, self._count, writer, sentence)


def _with_manners(made: list[Ask], rng: Random) -> list[Ask]:
    """How each is sampled and whether it is given up (rule 10). Canaries are sampled as all are,
    and never given up, as their answers are needed.
    """
    written = [ask.number for ask in made if ask.route != "embeddings"]
    sampling = dict(zip(written, _samplings(len(written), rng), strict=True))
    followed = {ask.after for ask in made}
    may = [n for n in written if made[n].workload in LENGTHS and n not in followed]
    given_up = set(rng.sample(may, min(len(may), round(HANG_UP * len(written)))))
    return [
        replace(
            ask,
            body=ask.body | sampling.get(ask.number, {}),
            hang_up=_chunks(ask, rng) if ask.number in given_up else None,
        )
        for ask in made
    ]


def _samplings(count: int, rng: Random) -> list[dict[str, Any]]:
    warm, named = fair(rng, count, SAMPLED), fair(rng, count, LOGPROBS)
    seeded = iter(fair(rng, sum(warm), SEEDED))
    return [
        (dict(WARM) if is_warm else {"temperature": 0})
        | ({"seed": rng.getrandbits(31)} if is_warm and next(seeded) else {})
        | ({"logprobs": True, "top_logprobs": NAMED} if is_named else {})
        for is_warm, is_named in zip(warm, named, strict=True)
    ]


def _chunks(ask: Ask, rng: Random) -> int:
    """After how many: in the middle of an answer whose chunks have a token each."""
    return max(1, round(rng.uniform(*GIVEN_UP) * ask.body["max_tokens"] / 2))
