"""The old form of tools: `functions` and `function_call`, of which an answer has one at most."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from openhearth.platform.errors import bad_request
from openhearth.platform.tools import (
    MOST_TOOLS,
    Function,
    FunctionName,
    NamedTool,
    OfferedTool,
    ToolParameters,
)


class OldToolParameters(ToolParameters):
    """What a chat request says about tools, in either form."""

    functions: Annotated[list[Function], Field(max_length=MOST_TOOLS)] | None = None
    function_call: Literal["none", "auto"] | FunctionName | None = None

    def in_new_form(self) -> ToolParameters:
        """The same, as `tools` say it.

        Raises:
            ApiError: 400, both forms are used.
        """
        if not self.functions:
            return self
        if self.tools:
            raise bad_request("functions is the old form of tools: give one of them.", "functions")
        choice: Literal["none", "auto"] | NamedTool | None
        if isinstance(self.function_call, FunctionName):
            choice = NamedTool(type="function", function=self.function_call)
        else:
            choice = self.function_call
        return ToolParameters(
            tools=[OfferedTool(type="function", function=one) for one in self.functions],
            tool_choice=choice,
            parallel_tool_calls=False,
        )


def old_reason(reason: str | None) -> str | None:
    """Why an answer ended, in the old form's words."""
    return "function_call" if reason == "tool_calls" else reason
