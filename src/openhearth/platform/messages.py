"""The conversation as the API writes it, turned into what chat templates read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from openhearth.platform.tools import CalledFunction, CalledTool

TEMPLATE_ROLES = {"developer": "system", "function": "tool"}


class TextPart(BaseModel):
    """A piece of a message; only text is understood."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: str


class InputMessage(BaseModel):
    """One turn of the conversation. Only what calls tools may have no content; what a tool said
    names the call. The old form of tools has a role of its own, and its calls have no ids.
    """

    model_config = ConfigDict(strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None

    @model_validator(mode="after")
    def _fits_its_role(self) -> InputMessage:
        if (self.tool_calls or self.function_call) and self.role != "assistant":
            raise ValueError("only the assistant calls tools")
        if self.role == "function" and not self.name:
            raise ValueError("name is missing: a function's turn says which it was")
        if (self.tool_call_id is not None) != (self.role == "tool"):
            raise ValueError("tool_call_id is for the role tool, which needs it")
        if self.content is None and not self.calls:
            raise ValueError("content is missing")
        return self

    @property
    def calls(self) -> list[CalledTool]:
        """The calls of either form."""
        old = self.function_call
        return [*(self.tool_calls or ()), *([CalledTool(id=old.name, function=old)] if old else ())]

    def for_template(self) -> dict[str, Any]:
        """The turn as chat templates know it, which have fewer roles."""
        parts = self.content or ""
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        turn = {"role": TEMPLATE_ROLES.get(self.role, self.role), "content": text}
        calls = [call.for_template() for call in self.calls]
        answered = self.name if self.role == "function" else self.tool_call_id
        more = {"name": self.name, "tool_call_id": answered, "tool_calls": calls}
        return turn | {name: value for name, value in more.items() if value}
