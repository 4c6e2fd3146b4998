"""What may be asked in Python: a text, token ids, or messages, which the template frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openhearth.data.tokenizer import Tokenizer

Messages = Sequence[Mapping[str, str]]
Prompt = str | Sequence[int] | Messages


def encode(tokenizer: Tokenizer, prompt: Prompt) -> list[int]:
    """A prompt as token ids."""
    if isinstance(prompt, str):
        return tokenizer.encode(prompt)
    if prompt and isinstance(prompt[0], Mapping):
        messages = [dict(message) for message in prompt if isinstance(message, Mapping)]
        return tokenizer.encode(tokenizer.chat(messages, add_generation_prompt=True))
    return [token for token in prompt if not isinstance(token, Mapping)]
