from __future__ import annotations

import json
from collections import Counter

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.draws import stream
from openhearth.bench.tasks import MAKERS, TASKS, Question, make, right
from openhearth.bench.tasks.instructions import RULES
from openhearth.bench.tasks.tools import TOOLS, score
from openhearth.bench.workloads import four_bytes
from openhearth.bench.workloads.structured import closed

QUICK = [task for task in TASKS if task != "code"]  # whose checks start no process
SEEDS = st.integers(0, 2**64)


def questions(task: str, seed: int, count: int = 12, tier: str = "small") -> list[Question]:
    return make(task, stream(seed, task), count, tier)  # type: ignore[arg-type]


@pytest.mark.parametrize("task", QUICK)
@settings(max_examples=8)
@given(seed=SEEDS)
def test_a_questions_own_answer_is_right_and_none_is_wrong(task: str, seed: int) -> None:
    made = questions(task, seed)
    for question in made:
        assert right(task, question.example, question.check), question
        assert right(task, f"\n {question.example} \n", question.check)
        for wrong in ("", "I do not know.", "¹²³", "{[" * 5_000, "9" * 5_000):
            if not (wrong and task == "instructions"):  # where some rules let nearly all pass
                assert not right(task, wrong, question.check), wrong


@pytest.mark.parametrize("task", ["arithmetic", "extraction", "recall"])
@settings(max_examples=8)
@given(seed=SEEDS)
def test_the_answer_to_another_question_is_wrong(task: str, seed: int) -> None:
    made = questions(task, seed)
    for question, other in zip(made, [*made[1:], made[0]], strict=True):
        wanted = str(other.check.get("value", other.check.get("number")))
        assert wanted in question.example or not right(task, question.example, other.check)


@settings(max_examples=3)
@given(seed=SEEDS)
def test_a_function_that_does_it_is_right_and_one_that_does_not_is_wrong(seed: int) -> None:
    for question in questions("code", seed, 3):
        name = question.check["name"]
        assert right("code", f"Here it is:\n{question.example}\nIt works.", question.check)
        assert not right("code", f"```python\ndef {name}(xs):\n    return 0\n```", question.check)
        assert not right("code", "I cannot do that.", question.check)


@pytest.mark.parametrize("task", MAKERS)
def test_questions_are_drawn_from_the_seed_and_levels_come_in_turn(task: str) -> None:
    ours, same, others = questions(task, 1), questions(task, 1), questions(task, 2)
    assert ours == same
    assert {q.text for q in ours}.isdisjoint(q.text for q in others)
    assert len({q.text for q in ours}) == 12
    counted = Counter(question.level for question in ours)
    assert min(counted) == 1
    assert set(counted.values()) == {12 // len(counted)}


@pytest.mark.parametrize("task", MAKERS)
def test_a_question_is_a_request_whose_check_is_plain_data(task: str) -> None:
    for number, question in enumerate(questions(task, 3)):
        ask = question.ask(number)
        assert ask.body["messages"][-1] == {"role": "user", "content": question.text}
        assert ("tools" in ask.body) == (task == "tools")
        assert (
            json.loads(json.dumps(ask.check))
            == ask.check
            == question.check | {"level": question.level}
        )
        assert question.max_tokens >= four_bytes(question.example) + 16


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ("Answer: 1234", True),
        ("3 + 4 = 7, so\n**Answer:** 1,234 coins.", True),
        ("It is 1234.", True),
        ("Answer: 1234\nAnswer: 5", False),
        ("The answer: first 7, then 1234", False),
        ("1235", False),
        ("Answer: none", False),
    ],
)
def test_the_number_after_the_last_mark_counts(answer: str, fits: bool) -> None:
    assert right("arithmetic", answer, {"number": 1234}) is fits


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ("She was born in 1961.", True),
        ("1,961", True),
        ("In 1961, not in 1950.", False),
        ("19610", False),
        ("1950", False),
    ],
)
def test_a_value_must_stand_alone(answer: str, fits: bool) -> None:
    assert right("recall", answer, {"value": 1961, "others": [1950]}) is fits


def test_json_is_found_in_an_answer_and_compared_by_what_it_says() -> None:
    check = {"json": {"Ann Bo": {"pet": "Dog", "year": 1961}}}
    assert right("extraction", '```json\n{"Ann Bo": {"year": "1961", "pet": "dog"}}\n```', check)
    assert not right("extraction", '{"Ann Bo": {"pet": "dog"}}', check)
    assert not right("extraction", '{"Ann Bo": {"pet": "dog", "year": 1961}', check)
    assert not right("extraction", '{"Ann Bo": ["pet", "dog"]}', check)


# Of each rule a value, an answer that keeps it, and one that does not.
KEPT = {
    "at_most": (3, "It is so.", "It is not so."),
    "at_least": (3, "It is so.", "Not so."),
    "sentences": (2, "It is 3.5 m. Yes!", "It is."),
    "lines": (2, "a\n\nb", "a\nb\nc"),
    "items": (2, "- a\n- b", "- a\n* b"),
    "paragraphs": (2, "a\nb\n\nc", "a\nb"),
    "lower": ("", "it is 3.", "It is 3."),
    "upper": ("", "IT IS 3.", "IT is 3."),
    "no_comma": ("", "So it is.", "So, it is."),
    "without": ("k", "So it is.", "Keep it."),
    "first": ("oar", "- Oar and rope", "The oar"),
    "last": ("oar", "The OAR.", "Oars"),
    "contains": ("oar", "An oar lies here.", "Oars lie here."),
    "keys": (["a", "b"], '```json\n{"b": "x", "a": "y"}\n```', '{"a": "x", "b": 1}'),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_tells_answers_apart(rule: str) -> None:
    value, kept, broken = KEPT[rule]
    check = {"rules": [[rule, value]]}
    assert right("instructions", kept, check)
    assert not right("instructions", broken, check)
    assert not right("instructions", "", check)


@given(seed=SEEDS)
def test_questions_of_level_n_have_n_rules_or_keys(seed: int) -> None:
    for question in questions("instructions", seed):
        rules = question.check["rules"]
        size = len(rules[0][1]) if rules[0][0] == "keys" else len(rules)
        assert size == question.level


@pytest.mark.parametrize("tier", ["small", "full"])
def test_texts_of_recall_grow_with_the_level_and_hold_their_facts(tier: str) -> None:
    for question in questions("recall", 5, 12, tier):
        whole = (400, 1000, 2000, 4000, 4000, 4000)[question.level - 1]
        length = whole / (4 if tier == "small" else 1)
        assert four_bytes(question.text) == pytest.approx(length, rel=0.15, abs=60)
        text = question.text.lower()
        values = [question.check["value"], *question.check["others"]]
        assert all(str(value).lower() in text for value in values)
        assert len(set(values)) == len(values)


def test_hops_lead_from_the_one_who_is_named_to_the_one_who_is_meant() -> None:
    question = next(q for q in questions("recall", 9, 6) if q.level == 6)
    asked = question.text.rsplit("\n\n", 1)[1]
    assert asked.count("the doctor of") == 3
    name = asked.split("the doctor of ")[-1].split("?")[0]
    person = " ".join(name.split()[:2])
    for _ in range(3):
        person = doctor(question.text, person)
    told = [s for s in sentences(question.text) if person in s and "doctor" not in s]
    assert any(str(question.check["value"]).lower() in sentence.lower() for sentence in told)


def sentences(text: str) -> list[str]:
    return text.replace("\n", " ").split(". ")


def doctor(text: str, person: str) -> str:
    """Who a text says is somebody's doctor."""
    for sentence in sentences(text):
        if f"The doctor of {person} is " in sentence:
            return sentence.split(" is ")[1]
        if f"{person} is a patient of " in sentence:
            return sentence.split(" of ")[1]
    raise AssertionError(person)


def test_tools_are_offered_as_openai_has_them_and_examples_keep_their_schemas() -> None:
    needed = 0
    for question in questions("tools", 4, 60):
        names = [tool["function"]["name"] for tool in question.tools]
        assert list(question.check["schemas"]) == names
        for tool in question.tools:
            jsonschema.Draft202012Validator.check_schema(tool["function"]["parameters"])
        tool = question.check["tool"]
        if tool is not None:
            needed += 1
            assert tool in names
            found = score([(tool, question.example)], question.check)
            assert (found.expected, found.called, found.valid) == (True, True, [True])
        assert score([], question.check).called is False
    assert needed == 40


def test_calls_are_held_to_their_schemas() -> None:
    check = {"tool": "order", "schemas": {"order": closed(TOOLS["order"][1])}}
    calls = {
        '{"thing": "oar", "count": 2}': True,
        '{"thing": "oar", "count": 0}': False,
        '{"thing": "oar"}': False,
        '{"thing": "oar", "count": 2, "more": 1}': False,
        '{"thing": "oar", "count":': False,
        "[]": False,
    }
    found = score([("order", arguments) for arguments in calls], check)
    assert found.valid == list(calls.values())
    assert score([("other", "{}")], check).valid == [False]
