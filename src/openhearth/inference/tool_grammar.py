"""Tool calls as a grammar, in llguidance's form of Lark: answers in which every call is sound.

Each function's parameters are a JSON schema of their own there, so that references inside hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openhearth.inference.constraint import JSON_FORM
from openhearth.inference.request import BadConstraint, Constraint
from openhearth.inference.tool_format import Format

ANYTHING = Constraint("regex", r"(.|\n)*")
MarkerToken = Callable[[str], int | None]  # the token that a marker is, if it is one by itself


@dataclass(frozen=True)
class Tool:
    """A function that may be called; `parameters` is the JSON schema of its arguments."""

    name: str
    parameters: Mapping[str, Any]


def call_grammar(
    form: Format,
    tools: Sequence[Tool],
    token_of: MarkerToken,
    *,
    several: bool,
    otherwise: Constraint | None,
) -> Constraint:
    """Answers that call at least one of these tools, and only one unless `several`; or instead what
    is allowed `otherwise`, which may be `ANYTHING`, also before the calls, or a JSON schema.

    Raises:
        BadConstraint: `otherwise` is something else.
    """
    opening, closing = (_marker(marker, token_of) for marker in (form.opening, form.closing))
    body = f"SPACE? call SPACE? {closing}"
    if form.bracket == "[":
        body = f'SPACE? "[" {_listed("call", ", ", several)} "]"'
    calls = f"{opening} {body}"
    if form.bare:
        calls = _listed("call", "; ", several)
    elif several and form.bracket == "{":
        calls += f" (SPACE? {calls})*"
    start, rules = "calls", [f"calls: {calls}", "SPACE: /[ \\n]/", *_tools(form, tools)]
    if otherwise == ANYTHING and form.bare:
        start += " | SAID?"
        rules.append("SAID: /[^{;\\s](.|\\n)*/")
    elif otherwise == ANYTHING:
        # What is lazy ends where it first can: a call does not pass for text.
        lazy = "" if opening.startswith("<") else "[lazy]"
        start = f"(begin {body})* TEXT" if several else f"TEXT | begin {body}"
        rules += [f"begin{lazy}: TEXT {opening}", "TEXT: /(.|\\n)*/"]
    elif otherwise is not None:
        start += " | answer"
        rules.append(f"answer: %json {_schema(otherwise)}")
    return Constraint("grammar", "\n".join([f"start: {start}", *rules]))


def _schema(answer: Constraint) -> str:
    if answer.kind != "json_schema":
        raise BadConstraint("Beside tools an answer can have a form in JSON only: ask for that.")
    return json.dumps(json.loads(str(answer.value)) | {"x-guidance": JSON_FORM})


def _tools(form: Format, tools: Sequence[Tool]) -> list[str]:
    rules = ["call: " + " | ".join(f"call_{i}" for i in range(len(tools)))]
    for i, tool in enumerate(tools):
        head = f'{{"name": {json.dumps(tool.name)}, "{form.arguments}": '
        schema = {"type": "object", **tool.parameters, "x-guidance": JSON_FORM}
        rules.append(f'call_{i}: {json.dumps(head)} arguments_{i} "}}"')
        rules.append(f"arguments_{i}: %json {json.dumps(schema)}")
    return rules


def _listed(item: str, between: str, several: bool) -> str:
    return f"{item} ({json.dumps(between)} {item})*" if several else item


def _marker(text: str, token_of: MarkerToken) -> str:
    if not text:
        return ""
    token = token_of(text)
    return json.dumps(text) if token is None else f"<[{token}]>"
