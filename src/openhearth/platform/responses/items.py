"""Items of a conversation as the Responses API writes them, and the turns of a chat that they are.

An assistant's text and the calls that follow it are one turn. Reasoning of other models, which
clients send back, is left out: no template has a place for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, TypeAdapter

from openhearth.platform.ids import new_id
from openhearth.platform.messages import InputMessage
from openhearth.platform.tools import CalledFunction, CalledTool


class Part(BaseModel):
    """A piece of a turn's content; only text is understood."""

    model_config = ConfigDict(strict=True)

    type: Literal["input_text", "output_text", "text"]
    text: str


Content = str | list[Part]


class Turn(BaseModel):
    """What somebody said."""

    model_config = ConfigDict(strict=True)

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content


class Call(BaseModel):
    """A call that the model made; `arguments` is a JSON object as text."""

    model_config = ConfigDict(strict=True)

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class CallOutput(BaseModel):
    """What the function said."""

    model_config = ConfigDict(strict=True)

    type: Literal["function_call_output"]
    call_id: str
    output: Content


class Reasoning(BaseModel):
    """What another model thought."""

    type: Literal["reasoning"]


def _kind(value: Any) -> Any:
    kind = value.get("type", "message") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


Item = Annotated[
    Annotated[Turn, Tag("message")]
    | Annotated[Call, Tag("function_call")]
    | Annotated[CallOutput, Tag("function_call_output")]
    | Annotated[Reasoning, Tag("reasoning")],
    Discriminator(_kind),
]
ITEMS: TypeAdapter[list[Item]] = TypeAdapter(list[Item])
PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
}


def text_of(content: Content) -> str:
    """All of it."""
    return content if isinstance(content, str) else "".join(part.text for part in content)


def turns(items: Iterable[Item]) -> list[InputMessage]:
    """The conversation that the items are."""
    messages: list[InputMessage] = []
    for item in items:
        if isinstance(item, Turn):
            messages.append(InputMessage(role=item.role, content=text_of(item.content)))
        elif isinstance(item, CallOutput):
            said = text_of(item.output)
            messages.append(InputMessage(role="tool", content=said, tool_call_id=item.call_id))
        elif isinstance(item, Call):
            _add_call(messages, item)
    return messages


def _add_call(messages: list[InputMessage], item: Call) -> None:
    function = CalledFunction(name=item.name, arguments=item.arguments)
    call = CalledTool(id=item.call_id, function=function)
    if messages and messages[-1].role == "assistant":
        messages[-1].tool_calls = [*(messages[-1].tool_calls or ()), call]
    else:
        messages.append(InputMessage(role="assistant", tool_calls=[call]))


def as_kept(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Input items with ids, and their content in parts, as the API gives them back."""
    return [_kept(item) for item in items]


def _kept(item: Item) -> dict[str, Any]:
    fields = item.model_dump()
    if isinstance(item, Turn) and isinstance(item.content, str):
        kind = "output_text" if item.role == "assistant" else "input_text"
        fields["content"] = [{"type": kind, "text": item.content}]
    if isinstance(item, Turn) and item.role == "assistant":
        fields["content"] = [{"annotations": []} | part for part in fields["content"]]
    return {"id": new_id(PREFIXES[item.type]), "status": "completed"} | fields
