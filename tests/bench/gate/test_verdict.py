"""The gate over real sockets, against servers of known truth: the honest one and each lie."""

from collections.abc import Sequence
from typing import Any

import pytest

from openhearth.bench.draws import stream
from openhearth.bench.gate import Verdict, canaries, judge, questions
from openhearth.bench.load import Target, carry_out
from openhearth.bench.recipe import Gate, Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.stub import Answering, Truth, stub
from openhearth.bench.stub.answers import question_key
from openhearth.bench.tasks import TASKS, make

GATE = Gate(prompts=24, samples=6, max_tokens=30, tasks=4)
RECIPE = Recipe(name="gate", workloads={"chat": 1}, gate=GATE)
HONEST = Answering(length=200)


def serving(**changed: Any) -> Truth:
    return Truth(serves=HONEST.model_copy(update=changed))


def answers(truth: Truth, asked: Sequence[Ask]) -> list[Record]:
    """One after the other, so that what a stub draws is the same each time."""
    with stub(truth) as url:
        return carry_out(Target(url, "stub"), asked, callers=1).records


@pytest.fixture(scope="module")
def asked() -> list[Ask]:
    return questions(RECIPE, GATE, seed=1)


@pytest.fixture(scope="module")
def reference(asked: list[Ask]) -> list[Record]:
    return answers(Truth(serves=HONEST, seed=5), asked)


def verdict(truth: Truth, asked: list[Ask], reference: list[Record]) -> Verdict:
    return judge(answers(truth, asked), [], reference)


def test_an_honest_server_is_accused_of_nothing(asked: list[Ask], reference: list[Record]) -> None:
    found = verdict(Truth(serves=HONEST, seed=6), asked, reference)
    assert found.quality in ("identical", "equivalent")
    assert found.findings == []
    assert found.agreement is not None
    assert found.agreement.kl == pytest.approx(0, abs=1e-6)
    assert found.answered == found.asked == len(asked)


def test_another_model_is_different(asked: list[Ask], reference: list[Record]) -> None:
    found = verdict(serving(other=1.0), asked, reference)
    assert found.quality == "different"
    assert found.agreement is not None
    assert found.agreement.first < 0.5


def test_coarser_weights_are_farther_the_coarser_they_are(
    asked: list[Ask], reference: list[Record]
) -> None:
    distances = []
    for sigma in (0.05, 0.2, 0.8):
        found = verdict(serving(sigma=sigma), asked, reference)
        assert found.agreement is not None
        distances.append(found.agreement.kl)
    assert distances == sorted(distances)
    assert distances[0] > 1e-5


def test_stored_answers_and_cut_ones_are_found(asked: list[Ask], reference: list[Record]) -> None:
    stored = verdict(Truth(serves=HONEST, stores=True), asked, reference)
    assert "rule 41" in stored.findings
    assert "rule 42" not in stored.findings
    assert "rule 42" in verdict(serving(shorter=0.4), asked, reference).findings


def test_tasks_that_are_solved_less_often_make_it_worse(asked: list[Ask]) -> None:
    more = GATE.model_copy(update={"tasks": 12})
    asked = questions(RECIPE, more, seed=2)
    known = {
        question_key(question.text): question.example
        for task in TASKS
        for question in make(task, stream(2, "gate", task), more.tasks, RECIPE.tier)
    }
    good = answers(Truth(serves=HONEST, known=known), asked)
    bad = answers(Truth(serves=HONEST.model_copy(update={"solves": 0.3}), known=known), asked)
    found = judge(bad, [], good)
    assert found.quality == "different"
    assert sum(one.worse for one in found.tasks.values()) >= 3
    assert judge(good, [], good).quality in ("identical", "equivalent")


def test_canaries_are_the_questions_in_another_order(asked: list[Ask]) -> None:
    mixed = canaries(asked)
    assert {ask.check["question"] for ask in mixed} <= {ask.number for ask in asked}
    assert [ask.check["prompt"] for ask in mixed[:2]] == [0, 0]
    assert {ask.check["gate"] for ask in mixed} == {"samples", "task", "tools"}


def test_no_answers_prove_nothing(reference: list[Record]) -> None:
    assert judge([], [], reference).quality == "unproven"
    assert judge([], [], []).to_dict()["class"] == "unproven"
