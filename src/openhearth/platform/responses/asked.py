"""`POST /v1/responses`: its body, and the chat request that asks the same of a model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhearth.platform.chat import Asked, ChatRequest, prepare
from openhearth.platform.errors import ApiError, from_validation
from openhearth.platform.messages import InputMessage
from openhearth.platform.models import find_card
from openhearth.platform.parameters import Alternatives, refuse, room_after
from openhearth.platform.responses.items import Item, Turn, turns
from openhearth.platform.tools import MOST_TOOLS, Function, FunctionName, NamedTool, OfferedTool

if TYPE_CHECKING:
    from openhearth.inference import Engine

LOGPROBS = "message.output_text.logprobs"
MOST_ITEMS = 4096

# Known parameters that are not served: the values that ask for nothing, and why.
UNSERVED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "background": ((False,), "stream the answer, or send a batch"),
    "context_management": (([],), "shorten the input, or say truncation: auto"),
    "conversation": ((), "go on by previous_response_id"),
    "moderation": ((), "no model moderates here; ask one yourself"),
    "prompt": ((), "no prompts are kept here; send the text"),
}
# What the body of a chat calls otherwise.
NAMES = {
    "messages": "input",
    "response_format": "text",
    "max_tokens": "max_output_tokens",
    "logprobs": "top_logprobs",
}


class Part(BaseModel):
    """A part of the body."""

    model_config = ConfigDict(strict=True)


class FunctionTool(Function):
    """A function that the model may call."""

    type: Literal["function"]


class ChosenFunction(FunctionName):
    """The choice of one function."""

    type: Literal["function"]


class AllowedTools(Part):
    """The choice of some of the tools."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[ChosenFunction]


class TextFormat(Part):
    """What the answer must be."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: str
    name: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None
    description: str | None = None

    def for_chat(self) -> dict[str, Any]:
        """The same as `response_format` says it."""
        said = self.model_dump(by_alias=True, exclude_none=True)
        if self.type != "json_schema":
            return said
        return {"type": self.type, "json_schema": {k: v for k, v in said.items() if k != "type"}}


class TextSettings(Part):
    """About the text of the answer; no model here knows how much to write."""

    format: TextFormat | None = None
    verbosity: str | None = None


class ResponsesRequest(Part):
    """The body of a request. Null means the default; what nobody here knows is ignored."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        json_schema_extra={
            "examples": [{"model": "smollm2-135m", "input": "Name a colour.", "store": False}]
        },
    )

    model: str = Field(max_length=256)
    input: str | Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)]
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction | AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    text: TextSettings | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    top_logprobs: Alternatives | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: (
        Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None
    ) = None
    user: str | None = None

    @property
    def items(self) -> list[Item]:
        """The input, of which a text is what the user says."""
        if isinstance(self.input, str):
            return [Turn(role="user", content=self.input)]
        return self.input

    @property
    def wants_logprobs(self) -> bool:
        """Whether the log-probabilities of the text are to be included."""
        return LOGPROBS in (self.include or ())

    @property
    def offered(self) -> list[FunctionTool]:
        """The tools that the model may call."""
        tools = self.tools or []
        if not isinstance(self.tool_choice, AllowedTools):
            return tools
        allowed = {tool.name for tool in self.tool_choice.tools}
        return [tool for tool in tools if tool.name in allowed]

    def for_chat(self, messages: list[InputMessage]) -> ChatRequest:
        """The chat request that asks the same of a conversation.

        Raises:
            ApiError: 400, a field makes no sense.
        """
        system = (
            [InputMessage(role="system", content=self.instructions)] if self.instructions else []
        )
        choice = self.tool_choice
        if isinstance(choice, AllowedTools):
            choice = choice.mode
        fields: dict[str, Any] = {
            "tool_choice": NamedTool(type="function", function=FunctionName(name=choice.name))
            if isinstance(choice, ChosenFunction)
            else choice,
            "tools": [_offered(tool) for tool in self.offered] or None,
            "response_format": self.text.format.for_chat()
            if self.text and self.text.format
            else None,
            "logprobs": self.wants_logprobs,
            "top_logprobs": self.top_logprobs if self.wants_logprobs else None,
            "max_tokens": self.max_output_tokens,
        }
        same = ("model", "temperature", "top_p", "parallel_tool_calls")
        fields |= {name: getattr(self, name) for name in same}
        try:
            return ChatRequest(messages=[*system, *messages], **fields)
        except ValidationError as error:
            first = error.errors()[0]
            raise from_validation([first | {"loc": ("body", *first["loc"])}]) from error


def _offered(tool: FunctionTool) -> OfferedTool:
    function = Function(**tool.model_dump(exclude={"type"}))
    return OfferedTool(type="function", function=function)


def prepare_response(
    engine: Engine, body: ResponsesRequest, before: list[Item], caller: str
) -> Asked:
    """Render the conversation: what was said before, and the input.

    Raises:
        ApiError: 400, a field makes no sense or is not served.
        NotFound: the model is not served.
    """
    refuse(body.model_extra or {}, UNSERVED)
    try:
        messages = turns([*before, *body.items])
        whole = prepare(engine, body.for_chat(messages), caller)
        if body.truncation != "auto" or fits(engine, body, whole):
            return whole
        return _shortened(engine, body, messages, caller)
    except ApiError as error:
        put_in_these_words(error)
        raise


def fits(engine: Engine, body: ResponsesRequest, asked: Asked) -> bool:
    """Whether the context holds the conversation and its answer."""
    card = find_card(engine, body.model)
    prompt = len(asked.requests[0].prompt)
    return card is None or room_after(card, 0) >= prompt + (body.max_output_tokens or 1)


def _shortened(
    engine: Engine, body: ResponsesRequest, messages: list[InputMessage], caller: str
) -> Asked:
    """The longest end of the conversation, from something that the user said, that fits; if none
    does, the shortest.
    """
    beginnings = [at for at, message in enumerate(messages) if message.role == "user"] or [0]

    def asked(at: int) -> Asked:
        return prepare(engine, body.for_chat(messages[at:]), caller)

    found = bisect_left(beginnings, True, key=lambda at: fits(engine, body, asked(at)))
    return asked(beginnings[min(found, len(beginnings) - 1)])


def put_in_these_words(error: ApiError) -> None:
    """Make an error about a field of the chat request one about that of this body."""
    detail = error.reply.error
    if detail.param in NAMES:
        detail.message = detail.message.replace(detail.param, NAMES[detail.param], 1)
        detail.param = NAMES[detail.param]
