"""Text to tokens and back, as one model does it, and conversations to the text it was taught.

A tokenizer is two files beside the weights: `tokenizer.json` (the format of the `tokenizers`
library) and `tokenizer_config.json` (special tokens and the chat template). A chat template comes
from outside, so it runs in Jinja's sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from openhearth.errors import CorruptArtifact, MissingExtra, UsageError

if TYPE_CHECKING:
    import jinja2
    import tokenizers

    from openhearth.store import Artifact

FILES = ("tokenizer.json", "tokenizer_config.json")


class Tokenizer:
    """The tokenizer of one model. Safe to use from several threads.

    `settings` is the content of `tokenizer_config.json`: `bos_token`, `eos_token`,
    `eos_token_ids` (further tokens that end an answer), `chat_template`.
    """

    def __init__(self, backend: tokenizers.Tokenizer, settings: Mapping[str, Any]) -> None:
        self._backend = backend
        self._settings = settings
        backend.no_padding()
        backend.no_truncation()

    @classmethod
    def load(cls, source: Artifact | Path) -> Tokenizer:
        """The tokenizer of a model artifact, or of a directory that holds the two files.

        Raises:
            MissingExtra: the `tokenizers` package is not installed.
            CorruptArtifact: the files cannot be read.
        """
        try:
            import tokenizers
        except ModuleNotFoundError as error:
            raise MissingExtra("tokenizers", "torch") from error
        paths = [source / n if isinstance(source, Path) else source.path(n) for n in FILES]
        try:
            settings = json.loads(paths[1].read_bytes())
            return cls(tokenizers.Tokenizer.from_file(str(paths[0])), settings)
        except Exception as error:  # the library raises bare Exception for whatever it dislikes
            raise CorruptArtifact(
                f"The tokenizer in {paths[0].parent} cannot be read ({error}): "
                "import the model again."
            ) from error

    @property
    def vocab_size(self) -> int:
        """How many token ids there are, added ones included."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    @cached_property
    def bos(self) -> int | None:
        """The token that this model wants before every text, if it wants one."""
        wanted = self._backend.encode("", add_special_tokens=True).ids
        named = self._id(self._settings.get("bos_token"))
        if self._settings.get("add_bos_token", bool(wanted) and wanted[0] == named):
            return named
        return None

    @cached_property
    def end_of_turn(self) -> int:
        """The token that ends an answer.

        Raises:
            UsageError: the model names none.
        """
        token = self._id(self._settings.get("eos_token"))
        if token is None:
            raise UsageError("This model's tokenizer names no eos_token, so no answer could end.")
        return token

    @cached_property
    def eos_ids(self) -> frozenset[int]:
        """Every token at which an answer ends."""
        return frozenset({self.end_of_turn, *self._settings.get("eos_token_ids", ())})

    def encode(self, text: str, *, add_bos: bool = True) -> list[int]:
        """The tokens of `text`, after the model's beginning token if it wants one (once)."""
        ids = self._backend.encode(text, add_special_tokens=False).ids
        if add_bos and self.bos is not None and ids[:1] != [self.bos]:
            ids.insert(0, self.bos)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, without special tokens; unfinished characters become U+FFFD."""
        return self._backend.decode(list(ids), skip_special_tokens=True)

    def token_text(self, token: int) -> str:
        """One token as text, special ones by their name."""
        return self._backend.decode([token], skip_special_tokens=False)

    def chat(
        self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = False
    ) -> str:
        """The conversation as the model's template writes it.

        Raises:
            UsageError: the model has no template, or the template refuses these messages.
        """
        import jinja2

        try:
            return self._template.render(
                messages=messages,
                add_generation_prompt=add_generation_prompt,
                bos_token=_content(self._settings.get("bos_token")) or "",
                eos_token=_content(self._settings.get("eos_token")) or "",
            )
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise UsageError(
                f"The model's chat template refuses these messages: {error}"
            ) from error

    @cached_property
    def _template(self) -> jinja2.Template:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        source = self._settings.get("chat_template")
        if not source:
            raise UsageError(
                "This model has no chat template: use plain completions, or a model tuned for chat."
            )
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        return environment.from_string(source)

    def _id(self, token: str | Mapping[str, Any] | None) -> int | None:
        content = _content(token)
        return None if content is None else self._backend.token_to_id(content)


def _content(token: str | Mapping[str, Any] | None) -> str | None:
    """Special tokens are written as a string, or as an object with the string inside."""
    return token["content"] if isinstance(token, Mapping) else token


def _refuse(message: str) -> NoReturn:
    """What templates call `raise_exception`."""
    raise UsageError(message)
