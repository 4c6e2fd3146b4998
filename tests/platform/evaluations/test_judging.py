"""Verdicts: what is asked for, what an answer means, and who wins."""

from __future__ import annotations

import pytest

from openhearth.platform.evaluations.judging import judged, read, reconciled

LABELS = {"labels": ["good", "bad"]}
RANGE = {"min_score": 0, "max_score": 10}
JUDGE = {"model": "tiny", "temperature": 0.05}


@pytest.mark.parametrize(
    ("kind", "parameters", "text", "verdict"),
    [
        ("classify", LABELS, '{"feedback": "why", "label": "bad"}', ("bad", "why")),
        ("classify", LABELS, '{"feedback": "why", "label": "worse"}', None),
        ("score", RANGE, '{"score": 2.5}', (2.5, "")),
        ("score", RANGE, '{"score": 11}', None),
        ("score", RANGE, '{"score": true}', None),
        ("score", RANGE, '{"score": "2"}', None),
        ("compare", {}, '{"feedback": "", "choice": "Tie"}', ("Tie", "")),
        ("compare", {}, '{"feedback": "", "cho', None),
        ("compare", {}, "[]", None),
        ("compare", {}, "", None),
    ],
)
def test_reading(kind: str, parameters: dict, text: str, verdict: object) -> None:
    assert read(kind, parameters, text) == verdict


def test_the_judge_is_held_to_the_form_and_told_of_it() -> None:
    asked = judged(JUDGE, "Be fair.", "classify", LABELS, ["My answer"])
    schema = asked["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == ["good", "bad"]
    system, user = asked["messages"]
    assert system["content"] == "Be fair."
    assert "Answer:\nMy answer" in user["content"]
    assert "'good', 'bad'" in user["content"]
    assert "Answer" not in judged(JUDGE, "", "score", RANGE, [])["messages"][1]["content"]


@pytest.mark.parametrize(
    ("first", "flipped", "winner"),
    [
        ("A", None, "A"),
        ("A", "B", "A"),
        ("B", "A", "B"),
        ("A", "A", "Tie"),
        ("Tie", "Tie", "Tie"),
        ("Tie", "A", "Tie"),
    ],
)
def test_two_verdicts_that_disagree_are_a_tie(first: str, flipped: str | None, winner: str) -> None:
    assert reconciled(first, flipped) == winner
