"""The conversation as the API writes it, turned into what chat templates read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from openhearth.platform.tools import CalledTool


class TextPart(BaseModel):
    """A piece of a message; only text is understood."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: str


class InputMessage(BaseModel):
    """One turn of the conversation. Only what calls tools may have no content; what a tool said
    names the call.
    """

    model_config = ConfigDict(strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _fits_its_role(self) -> InputMessage:
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only the assistant has tool_calls")
        if (self.tool_call_id is not None) != (self.role == "tool"):
            raise ValueError("tool_call_id is for the role tool, which needs it")
        if self.content is None and not self.tool_calls:
            raise ValueError("content is missing")
        return self

    def for_template(self) -> dict[str, Any]:
        """The turn as chat templates know it: they call a developer the system."""
        parts = self.content or ""
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        turn = {"role": "system" if self.role == "developer" else self.role, "content": text}
        calls = [call.for_template() for call in self.tool_calls or ()]
        more = {"name": self.name, "tool_call_id": self.tool_call_id, "tool_calls": calls}
        return turn | {name: value for name, value in more.items() if value}
