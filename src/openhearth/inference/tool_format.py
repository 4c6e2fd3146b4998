"""How each family of models writes its tool calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """How a family of models writes its calls: `opening`, JSON, `closing`.

    The JSON begins with `bracket`: an object is one call, an array several. `bare` models may also
    begin an answer with the JSON alone, and part calls by semicolons. A call names its `arguments`
    so.
    """

    opening: str
    bracket: str
    closing: str = ""
    bare: bool = False
    arguments: str = "arguments"


FORMATS = {
    "hermes": Format("<tool_call>", "{", "</tool_call>"),
    "llama3": Format("<|python_tag|>", "{", bare=True, arguments="parameters"),
    "mistral": Format("[TOOL_CALLS]", "["),
}


def format_of(chat_template: str) -> Format | None:
    """The format that a model's chat template teaches, if it is a known one."""
    for form in FORMATS.values():
        if form.opening in chat_template:
            return form
    # Smaller Llamas are told of the JSON in words.
    if '"parameters"' in chat_template and "<|start_header_id|>" in chat_template:
        return FORMATS["llama3"]
    return None
