"""Which form of calls a model was taught."""

from __future__ import annotations

import pytest

from openhearth.inference.tool_format import FORMATS, format_of


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ('{%- if tools %}<tool_call>\\n{"name": …}\\n</tool_call>', "hermes"),
        ("{{ '[TOOL_CALLS] [' }}", "mistral"),
        ('<|start_header_id|>assistant<|end_header_id|> {"name": …, "parameters": …}', "llama3"),
        ("<|im_start|>assistant", None),
    ],
)
def test_the_chat_template_tells_the_format(template: str, form: str | None) -> None:
    assert format_of(template) == (form and FORMATS[form])
