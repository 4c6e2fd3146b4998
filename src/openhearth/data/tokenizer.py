"""Text to tokens and back, as one model does it, and conversations to the text it was taught.

A tokenizer is two files beside the weights: `tokenizer.json` (the format of the `tokenizers`
library) and `tokenizer_config.json` (special tokens and the chat template); the first will do for
plain text. A chat template comes from outside, so it runs in Jinja's sandbox.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from openhearth.errors import CorruptArtifact, MissingExtra, UsageError

if TYPE_CHECKING:
    import jinja2
    import tokenizers

    from openhearth.store import Artifact, Draft, Store

FILES = ("tokenizer.json", "tokenizer_config.json")
# What models call the end of a document; a model tuned for chat has another eos_token than this.
END_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>")


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

    def __reduce__(self) -> tuple[Any, ...]:
        return Tokenizer, (self._backend, self._settings)

    @classmethod
    def load(cls, source: Artifact | Path) -> Tokenizer:
        """The tokenizer of an artifact, of a directory, or in a `tokenizer.json` alone.

        Raises:
            MissingExtra: the `tokenizers` package is not installed.
            CorruptArtifact: the files cannot be read.
        """
        try:
            import tokenizers
        except ModuleNotFoundError as error:
            raise MissingExtra("tokenizers", "torch") from error
        paths = tokenizer_files(source)
        try:
            settings = json.loads(paths[1].read_bytes()) if paths[1:] else {}
            return cls(tokenizers.Tokenizer.from_file(str(paths[0])), settings)
        except Exception as error:  # the library raises bare Exception for whatever it dislikes
            raise CorruptArtifact(
                f"The tokenizer {paths[0]} cannot be read ({error}): import or download it again."
            ) from error

    @property
    def definition(self) -> str:
        """The content of `tokenizer.json`."""
        return self._backend.to_str()

    @property
    def vocab_size(self) -> int:
        """How many token ids there are, added ones included."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    @cached_property
    def largest_id(self) -> int:
        """The largest token id; there may be fewer tokens than that."""
        return max(self._backend.get_vocab(with_added_tokens=True).values(), default=0)

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

    @cached_property
    def end_of_text(self) -> int:
        """The token after a document in plain text.

        It is the `eos_token`, or one of a usual name where there is none or where that, since
        there is a chat template, may be the end of a turn.

        Raises:
            UsageError: the tokenizer has none.
        """
        added = self._backend.get_added_tokens_decoder().values()
        special = {token.content for token in added if token.special}
        usual = next((name for name in END_OF_TEXT if name in special), None)
        named = self._settings.get("eos_token")
        token = self._id(usual or named if self._settings.get("chat_template") else named or usual)
        if token is None:
            raise UsageError(
                "This tokenizer has no token for the end of a text: name its `eos_token` in a "
                "tokenizer_config.json beside it."
            )
        return token

    def encode_literally(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of texts that name no special tokens, whatever is in them; no beginnings.

        The library's threads share the work, and hold half a kilobyte for each token meanwhile.
        """
        encodings = self._literal.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    @cached_property
    def _literal(self) -> tokenizers.Tokenizer:
        literal = deepcopy(self._backend)
        literal.encode_special_tokens = True
        return literal

    def encode(self, text: str, *, add_bos: bool = True) -> list[int]:
        """The tokens of `text`, after the model's beginning token if it wants one (once)."""
        ids = self._backend.encode(text, add_special_tokens=False).ids
        if add_bos and self.bos is not None and ids[:1] != [self.bos]:
            ids.insert(0, self.bos)
        return ids

    def encode_framed(self, text: str) -> list[int]:
        """The tokens of `text` between those that the model wants around it, such as an encoder's
        beginning and end."""
        return self._backend.encode(text, add_special_tokens=True).ids

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """The text of `ids`, without special tokens unless they are wanted too; unfinished
        characters become U+FFFD.
        """
        return self._backend.decode(list(ids), skip_special_tokens=skip_special)

    def token_text(self, token: int) -> str:
        """One token as text, special ones by their name."""
        return self._backend.decode([token], skip_special_tokens=False)

    def marker(self, text: str) -> int | None:
        """The token that was added to the vocabulary to stand for this text, if there is one."""
        token = self._backend.token_to_id(text)
        return token if token in self._backend.get_added_tokens_decoder() else None

    @property
    def chat_template(self) -> str:
        """How the model wants conversations written, in Jinja; empty if it does not say."""
        return self._settings.get("chat_template") or ""

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool = False,
        tools: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """The conversation as the model's template writes it, with the tools that it offers. A
        template may know `variables` of its own, such as `enable_thinking`.

        Raises:
            UsageError: the model has no template, or the template refuses these messages.
        """
        import jinja2

        try:
            return self._template.render(
                dict(variables or {})
                | {
                    "messages": messages,
                    "tools": tools,
                    "add_generation_prompt": add_generation_prompt,
                    "bos_token": _content(self._settings.get("bos_token")) or "",
                    "eos_token": _content(self._settings.get("eos_token")) or "",
                }
            )
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise UsageError(
                f"The model's chat template refuses these messages: {error}"
            ) from error

    @cached_property
    def _template(self) -> jinja2.Template:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        if not self.chat_template:
            raise UsageError(
                "This model has no chat template: use plain completions, or a model tuned for chat."
            )
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        environment.filters["tojson"] = _to_json
        return environment.from_string(self.chat_template)

    def _id(self, token: str | Mapping[str, Any] | None) -> int | None:
        content = _content(token)
        return None if content is None else self._backend.token_to_id(content)


def find_tokenizer(store: Store, name: str) -> Artifact:
    """The artifact of the tokenizer that is meant: one in the store, or a path, which is stored.

    A path is that of a `tokenizer.json` or of a folder with one; what is there now is kept, so
    that tokens can be read when it is gone.

    Raises:
        NotFound: there is no such path and nothing in the store has this name.
        UsageError: what has this name has no tokenizer.
        CorruptArtifact: the files cannot be read.
    """
    path = Path(name)
    if (path / FILES[0] if path.is_dir() else path).is_file():
        return _take(store, path)
    artifact = store.get(name)
    if FILES[0] not in artifact.manifest.files:
        raise UsageError(f"{name} ({artifact.kind}) has no tokenizer: name a model, or a path.")
    return artifact


def _take(store: Store, path: Path) -> Artifact:
    Tokenizer.load(path)
    contents = [file.read_bytes() for file in tokenizer_files(path)]
    if len(contents) < len(FILES):
        contents.append(b"{}")

    def build(draft: Draft) -> None:
        for file, content in zip(FILES, contents, strict=True):
            draft.path(file).write_bytes(content)

    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    return store.make("tokenizer", build, recipe={"import": dict(zip(FILES, digests, strict=True))})


def tokenizer_files(source: Artifact | Path) -> list[Path]:
    """`tokenizer.json` and, which a path may lack, the `tokenizer_config.json` beside it."""
    if not isinstance(source, Path):
        return [source.path(name) for name in FILES]
    first = source / FILES[0] if source.is_dir() else source
    second = first.with_name(FILES[1])
    return [first, second] if first.name == FILES[0] and second.is_file() else [first]


def _content(token: str | Mapping[str, Any] | None) -> str | None:
    """Special tokens are written as a string, or as an object with the string inside."""
    return token["content"] if isinstance(token, Mapping) else token


def _to_json(value: Any, indent: int | None = None) -> str:
    """Jinja's own is for HTML, whose marks it escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    """What templates call `raise_exception`."""
    raise UsageError(message)
