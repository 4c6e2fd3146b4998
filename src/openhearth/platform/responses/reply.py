"""A response, and the items of its output."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel

from openhearth.inference.request import Usage
from openhearth.platform.ids import new_id
from openhearth.platform.logprobs import ChosenToken
from openhearth.platform.responses.asked import AllowedTools, ChosenFunction, ResponsesRequest

Status = Literal["in_progress", "completed", "incomplete"]


class OutputText(BaseModel):
    """What the model wrote."""

    type: Literal["output_text"] = "output_text"
    text: str = ""
    annotations: list[Any] = []
    logprobs: list[ChosenToken] = []


class OutputMessage(BaseModel):
    """An item that is text."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    status: Status = "in_progress"
    content: list[OutputText] = []


class OutputCall(BaseModel):
    """An item that is a call; `arguments` is a JSON object as text."""

    id: str
    type: Literal["function_call"] = "function_call"
    call_id: str
    name: str
    arguments: str = ""
    status: Status = "in_progress"


class Thought(BaseModel):
    """What the model thought."""

    type: Literal["reasoning_text"] = "reasoning_text"
    text: str = ""


class OutputReasoning(BaseModel):
    """An item that is a thought; it has no summary."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    summary: list[Any] = []
    content: list[Thought] = []
    status: Status = "in_progress"


OutputItem = OutputMessage | OutputCall | OutputReasoning


class InputDetails(BaseModel):
    """How many tokens of the input were found in the cache; putting them there costs nothing."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputDetails(BaseModel):
    """How many tokens of the output are thoughts."""

    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Tokens read and written."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> ResponseUsage:
        """The API's form of the engine's count."""
        return cls(
            input_tokens=usage.prompt_tokens,
            input_tokens_details=InputDetails(cached_tokens=usage.cached_tokens),
            output_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
        )


class Failure(BaseModel):
    """Why there is no answer."""

    code: Literal["server_error", "rate_limit_exceeded"] = "server_error"
    message: str


class Incomplete(BaseModel):
    """Why the answer ends early."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class ReplyTool(BaseModel):
    """A function that the model could call."""

    type: Literal["function"]
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


class ResponseReply(BaseModel):
    """A response. What it was asked with is told too."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: Literal["in_progress", "completed", "incomplete", "failed"] = "in_progress"
    background: Literal[False] = False
    error: Failure | None = None
    incomplete_details: Incomplete | None = None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem] = []
    parallel_tool_calls: bool
    previous_response_id: str | None
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: str | ChosenFunction | AllowedTools
    tools: list[ReplyTool]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None = None
    user: str | None

    @classmethod
    def begun(cls, body: ResponsesRequest) -> ResponseReply:
        """One to which nothing has been said yet."""
        text = body.text.model_dump(by_alias=True, exclude_none=True) if body.text else {}
        return cls(
            id=new_id("resp"),
            created_at=int(time.time()),
            instructions=body.instructions,
            max_output_tokens=body.max_output_tokens,
            metadata=body.metadata or {},
            model=body.model,
            parallel_tool_calls=body.parallel_tool_calls is not False,
            previous_response_id=body.previous_response_id,
            store=body.store is not False,
            temperature=1.0 if body.temperature is None else body.temperature,
            text={"format": {"type": "text"}} | text,
            tool_choice=body.tool_choice or "auto",
            tools=[ReplyTool(**tool.model_dump()) for tool in body.tools or ()],
            top_logprobs=body.top_logprobs or 0,
            top_p=1.0 if body.top_p is None else body.top_p,
            truncation=body.truncation or "disabled",
            user=body.user,
        )
