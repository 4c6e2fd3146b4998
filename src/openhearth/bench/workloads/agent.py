"""`agent`: sessions of four to eight turns with tools, all of a run with the same beginning.

What a model will say is not known when its session is made, and some call a tool where others
write. So a tool's result comes as the user's words ("Result of price_of: …"), not in the role
`tool`: that one must name the id of a call, and without a call, or with two, a server would have to
refuse the conversation. For the same reason an answer goes back as text, whatever it was. Each turn
makes sense after any answer: it brings a result that an assistant needs, and says what to do next.

The shared beginning is the definitions of the tools and the system's message: together 768 tokens.
The length of the table is that of a session's first prompt; each later turn brings as much as a
first one has beside what is shared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from openhearth.bench.workloads.lengths import Count, Tier, fill, typical
from openhearth.bench.workloads.lexicon import words
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.request import Draft, Spec, chat_body, nonce, said
from openhearth.bench.workloads.request import words as in_words
from openhearth.bench.workloads.structured import closed
from openhearth.bench.workloads.texts import Writer, finish, paragraphs

SHARED = 768  # tokens that all sessions begin with
FEWEST, MOST = 4, 8  # turns
LEAST = 16  # tokens that a turn has at least
PAUSE_S = 2.0  # mean of the pauses between an answer and the next turn, exponential
PURPOSES = {
    "price_of": "What a thing costs in a town, in crowns",
    "stock_of": "How many of a thing there are in a town",
    "delivery_days": "How many days it takes to bring a thing to a town",
    "nearest_shop": "Which shop of a town sells a thing",
    "reserve": "Put a thing aside in a town until tomorrow",
}


@dataclass(frozen=True)
class Shared:
    """What all sessions of a run begin with."""

    tools: list[dict[str, Any]]
    system: str


def shared(rng: Random, tier: Tier, count: Count) -> Shared:
    """Tools for up to half of the length, then instructions."""
    names = Names(rng)
    writer, room = Writer(rng, names), round(typical(SHARED, tier))
    tools = [tool(name) for name in rng.sample(list(PURPOSES), len(PURPOSES))]
    while len(tools) > 1 and count(json.dumps(tools)) > room / 2:
        tools.pop()
    start = (
        f"{nonce(rng, names)} You buy for the shops of {names.place()}, with tools. What to know:"
    )
    told = fill(writer.sentence, count, room - count(json.dumps(tools) + start))
    return Shared(tools, f"{start}\n\n{paragraphs(told)}")


def tool(name: str) -> dict[str, Any]:
    """One of the tools, as OpenAI's API defines functions."""
    parameters = closed({"thing": {"type": "string"}, "town": {"type": "string"}})
    function = {"name": name, "description": PURPOSES[name], "parameters": parameters}
    return {"type": "function", "function": function}


def session(specs: Iterable[Spec], common: Shared) -> Iterator[Draft]:
    """The turns of one, as long as these say; their `prompt` counts the shared part too."""
    for number, spec in enumerate(specs):
        start = nonce(spec.rng, spec.writer.names) if number == 0 else _result(spec.rng, common)
        messages = [said("user", *_turn(spec, start, common))]
        if number == 0:
            messages.insert(0, said("system", common.system))
        yield Draft(chat_body(messages, spec.answer) | {"tools": common.tools})


def _turn(spec: Spec, start: str, common: Shared) -> list[str]:
    thing = f"{spec.rng.choice(words('quality'))} {spec.rng.choice(words('thing'))}"
    ask = finish(
        f"next I need a {thing} from {spec.writer.names.place()}. Use a tool, or say in about "
        f"{in_words(spec.answer)} words what to do."
    )
    used = spec.count(json.dumps(common.tools) + common.system)
    room = max(LEAST, spec.prompt - used) - spec.count(f"{start} {ask}")
    return [start, paragraphs(fill(spec.sentence, spec.count, room)), ask]


def _result(rng: Random, common: Shared) -> str:
    name = rng.choice(common.tools)["function"]["name"]
    found = {"found": rng.randint(0, 99), "shop": rng.choice(words("building"))}
    return f"Result of {name}: {json.dumps(found)}"


def split(rng: Random, requests: int) -> list[int]:
    """The turns of sessions that have so many requests together: each four to eight, but where
    there are fewer than four.
    """
    turns = []
    while requests:
        drawn = rng.randint(FEWEST, MOST)
        if requests - drawn < FEWEST:  # what is left over must be a session, or none
            drawn = requests if requests <= MOST else requests - FEWEST
        turns.append(drawn)
        requests -= drawn
    return turns
