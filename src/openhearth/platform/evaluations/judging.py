"""What a judge is asked, and what its answer means.

It answers in JSON of a schema that the engine holds it to, so that a small model can judge too;
what is nevertheless wrong, because it ended too soon for example, is counted.
"""

from __future__ import annotations

from typing import Any

import orjson

FEEDBACK = {"type": "string", "maxLength": 400}
A, B, TIE = "A", "B", "Tie"


def body(asked: dict[str, Any], system: str, user: str) -> dict[str, Any]:
    """A request for a chat completion."""
    found: dict[str, Any] = {
        "model": asked["model"],
        "temperature": asked["temperature"],
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ],
    }
    if asked.get("max_tokens"):
        found["max_tokens"] = asked["max_tokens"]
    return found


def verdict_form(kind: str, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The field that a verdict has, and the schema of the whole answer."""
    if kind == "classify":
        field, value = "label", {"type": "string", "enum": parameters["labels"]}
    elif kind == "score":
        least, most = parameters["min_score"], parameters["max_score"]
        field, value = "score", {"type": "number", "minimum": least, "maximum": most}
    else:
        field, value = "choice", {"type": "string", "enum": [A, B, TIE]}
    schema = {
        "type": "object",
        "properties": {"feedback": FEEDBACK, field: value},
        "required": ["feedback", field],
        "additionalProperties": False,
    }
    return field, schema


def question(kind: str, parameters: dict[str, Any], answers: list[str]) -> str:
    """What the judge reads after its instructions, which may show what is judged themselves."""
    if kind == "compare":
        shown = f"Answer A:\n{answers[0]}\n\nAnswer B:\n{answers[1]}\n\n"
        wanted = '`choice`, which is "A" or "B", whichever is better, or "Tie"'
    else:
        shown = f"Answer:\n{answers[0]}\n\n" if answers else ""
        if kind == "classify":
            wanted = "`label`, which is one of " + ", ".join(map(repr, parameters["labels"]))
        else:
            least, most = parameters["min_score"], parameters["max_score"]
            wanted = f"`score`, a number from {least} to {most}"
    return f"{shown}Reply in JSON with `feedback`, a sentence that says why, and {wanted}."


def judged(
    asked: dict[str, Any], system: str, kind: str, parameters: dict[str, Any], answers: list[str]
) -> dict[str, Any]:
    """The request to a judge."""
    _, schema = verdict_form(kind, parameters)
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    return body(asked, system, question(kind, parameters, answers)) | {"response_format": form}


def read(kind: str, parameters: dict[str, Any], text: str) -> tuple[Any, str] | None:
    """The verdict in an answer, and why; None if it is none."""
    field, schema = verdict_form(kind, parameters)
    try:
        said = orjson.loads(text)
        value, why = said[field], str(said.get("feedback", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    form = schema["properties"][field]
    if kind == "score":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return (value, why) if form["minimum"] <= value <= form["maximum"] else None
    return (value, why) if value in form["enum"] else None


def reconciled(first: str, flipped: str | None) -> str:
    """Who wins, if the second verdict saw the answers in the other order."""
    if flipped is None:
        return first
    return first if {A: B, B: A, TIE: TIE}[flipped] == first else TIE
