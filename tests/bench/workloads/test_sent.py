"""What is made here can be asked: of a server of known truth, by the load generator itself."""

from __future__ import annotations

from collections import Counter

import pytest

from openhearth.bench.draws import stream
from openhearth.bench.load import Target, carry_out
from openhearth.bench.recipe import Recipe
from openhearth.bench.records import Ask, Part, Record
from openhearth.bench.stub import Answering, Truth, stub
from openhearth.bench.stub.answers import question_key
from openhearth.bench.tasks import TASKS, make, right
from openhearth.bench.workloads import LENGTHS, asks, four_bytes


def sent(truth: Truth, questions: list[Ask]) -> list[Record]:
    with stub(truth) as url:
        return carry_out(Target(url, "stub"), questions, callers=8).records


def test_all_workloads_are_answered_and_conversations_go_on_after_calls_and_after_text() -> None:
    mix = {name: 1.0 for name in LENGTHS if name != "batch"} | {"agent": 3.0}
    recipe = Recipe.model_validate({"name": "all", "workloads": mix})
    questions = asks(recipe, 5, [0.0] * 27, four_bytes)
    records = sent(Truth(serves=Answering(calls=0.5, length=1e6, shorter=0.1)), questions)
    assert [(r.failure, r.detail) for r in records if r.failure] == []
    counts = Counter(record.workload for record in records)
    assert counts == dict.fromkeys(mix, 3) | {"agent": 9}
    for ask, record in zip(questions, records, strict=True):
        assert record.hung_up is (ask.hang_up is not None) or len(record.chunks) < ask.hang_up
        if ask.after is not None:
            roles = [message["role"] for message in record.request["messages"]]
            turns = len(roles) // 2
            assert roles == ["system", *["user", "assistant"] * (turns - 1), "user"]
    parts = Counter(chunk.part for r in records if r.workload == "agent" for chunk in r.chunks)
    assert parts[Part.TEXT]
    assert parts[Part.TOOL_CALL]


@pytest.mark.parametrize("solves", [1.0, 0.0])
def test_a_server_that_knows_the_answers_is_right_and_one_that_does_not_is_wrong(
    solves: float,
) -> None:
    made = [q for task in TASKS for q in make(task, stream(8, task), 6, "small")]
    known = {question_key(question.text): question.example for question in made}
    questions = [question.ask(number) for number, question in enumerate(made)]
    greedy = [Ask(a.number, a.workload, a.route, a.body | {"temperature": 0}) for a in questions]
    records = sent(Truth(known=known, serves=Answering(solves=solves)), greedy)
    found = [
        right(ask.workload, record.text, ask.check)
        for ask, record in zip(questions, records, strict=True)
        if solves or ask.workload != "instructions"  # whose easiest rules any text may keep
    ]
    assert found == [bool(solves)] * len(found)
