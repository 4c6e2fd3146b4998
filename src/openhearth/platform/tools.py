"""Tools in a chat: what a caller offers, how an answer may use it, and the calls that it makes.

A model must have been taught to call tools, which its chat template shows. Calls are constrained to
be sound where that was asked for: by `tool_choice`, by `strict` on a function, or by
`parallel_tool_calls: false`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from openhearth.inference.request import Constraint, Delta
from openhearth.inference.tool_format import Format, format_of
from openhearth.inference.tool_grammar import ANYTHING, Tool, call_grammar
from openhearth.inference.tools import Arguments, ToolCall, ToolParser
from openhearth.platform.errors import bad_request

if TYPE_CHECKING:
    from openhearth.data import Tokenizer

MOST_TOOLS = 128


class Function(BaseModel):
    """A function that the model may call; `parameters` is a JSON schema of an object."""

    model_config = ConfigDict(strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class OfferedTool(BaseModel):
    """A tool; only functions are known."""

    type: Literal["function"]
    function: Function


class FunctionName(BaseModel):
    """Which function."""

    name: str


class NamedTool(BaseModel):
    """The choice of one function."""

    type: Literal["function"]
    function: FunctionName


class ToolParameters(BaseModel):
    """What a chat request says about tools."""

    tools: Annotated[list[OfferedTool], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None


class CalledFunction(BaseModel):
    """A call's function; `arguments` is a JSON object as text."""

    name: str
    arguments: str


class ArgumentsPiece(BaseModel):
    """A piece of a call's arguments."""

    arguments: str


class CalledTool(BaseModel):
    """A call, in an answer or in the conversation so far."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction

    def for_template(self) -> dict[str, Any]:
        """The call as chat templates know it: with its arguments as an object.

        Raises:
            ApiError: 400, the arguments are no JSON object.
        """
        try:
            arguments = json.loads(self.function.arguments)
        except (ValueError, RecursionError) as error:
            message = f"The arguments of the tool call {self.id} are not JSON: {error}."
            raise bad_request(message, "messages") from error
        function = {"name": self.function.name, "arguments": arguments}
        return {"id": self.id, "type": self.type, "function": function}


class CallBegun(CalledTool):
    """A call begins in a stream, without arguments; `index` says which of the answer's it is."""

    index: int


class MoreArguments(BaseModel):
    """More of the arguments of a call in a stream. Its id and name are not said again, because
    clients join the texts that they are given.
    """

    index: int
    function: ArgumentsPiece


CallDelta = CallBegun | MoreArguments


@dataclass(frozen=True)
class ToolUse:
    """How the answers to one request may call tools; `offered` is what the template is given."""

    form: Format
    offered: list[dict[str, Any]]
    constraint: Constraint | None

    @classmethod
    def of(
        cls, asked: ToolParameters, tokenizer: Tokenizer, answer: Constraint | None
    ) -> ToolUse | None:
        """The use that is asked for, if any; `answer` is the form of an answer without calls.

        Raises:
            ApiError: 400, the tools make no sense, or the model knows none.
        """
        tools, choice = asked.tools or [], asked.tool_choice
        named = choice.function.name if isinstance(choice, NamedTool) else None
        if (named or choice == "required") and not tools:
            raise bad_request("tool_choice asks for a tool, but tools has none.", "tool_choice")
        if not tools or choice == "none":
            return None
        chosen = [tool.function for tool in tools if named in (None, tool.function.name)]
        if not chosen:
            message = f"tool_choice names {named!r}, which is not among the tools."
            raise bad_request(message, "tool_choice")
        form = format_of(tokenizer.chat_template)
        if form is None:
            message = "This model was not taught to call tools: leave them out, or ask another."
            raise bad_request(message, "tools", "unsupported_parameter")
        several = asked.parallel_tool_calls is not False and named is None
        free = choice in (None, "auto")
        constraint = None
        if not (free and several) or answer or any(function.strict for function in chosen):
            constraint = call_grammar(
                form,
                [Tool(function.name, _parameters(function)) for function in chosen],
                tokenizer.marker,
                several=several,
                otherwise=(answer or ANYTHING) if free else None,
            )
        offered = [tool.model_dump(exclude_none=True) for tool in tools]
        return cls(form, offered, constraint)

    def reader(self) -> CallReader:
        """For one answer."""
        return CallReader(self.form)


class CallReader:
    """Takes the calls out of one answer's stream."""

    def __init__(self, form: Format) -> None:
        self._parser = ToolParser(form)
        self._called = False

    def read(self, delta: Delta) -> tuple[Delta, list[CallDelta]]:
        """A delta without the calls, and what has become certain of these by it."""
        parts = self._parser.push(delta.text)
        if delta.finish_reason is not None:
            parts += self._parser.finish()
        calls = [_reply(part) for part in parts if not isinstance(part, str)]
        self._called = self._called or bool(calls)
        reason = delta.finish_reason
        if self._called and reason == "stop":
            reason = "tool_calls"
        text = "".join(part for part in parts if isinstance(part, str))
        return replace(delta, text=text, finish_reason=reason), calls


def _reply(part: ToolCall | Arguments) -> CallDelta:
    if isinstance(part, Arguments):
        return MoreArguments(index=part.index, function=ArgumentsPiece(arguments=part.text))
    function = CalledFunction(name=part.name, arguments="")
    return CallBegun(index=part.index, id=part.id, function=function)


def steps(said: Delta, calls: Sequence[CallDelta]) -> list[tuple[Delta, CallDelta | None]]:
    """What goes out as chunks: as OpenAI does it, one has text, a call, or the end after calls."""
    if not calls:
        return [(said, None)] if said.text or said.logprobs or said.finish_reason else []
    spoken, end = replace(said, finish_reason=None), Delta(finish_reason=said.finish_reason)
    return [
        *([(spoken, None)] if spoken.text or spoken.logprobs else []),
        *((Delta(), call) for call in calls),
        *([(end, None)] if end.finish_reason else []),
    ]


def whole(deltas: Sequence[CallDelta]) -> list[CalledTool]:
    """Calls as an answer that is no stream holds them."""
    calls: list[CalledTool] = []
    for delta in deltas:
        if isinstance(delta, CallBegun):
            calls.append(CalledTool(id=delta.id, function=delta.function.model_copy()))
        else:
            calls[delta.index].function.arguments += delta.function.arguments
    return calls


def _parameters(function: Function) -> dict[str, Any]:
    parameters = function.parameters or {"type": "object"}
    if parameters.get("type", "object") != "object":
        message = f"The parameters of the function {function.name} must be of type object."
        raise bad_request(message, "tools", "invalid_function_parameters")
    return parameters
