"""Answers of a form that the request names: JSON by a schema, a regular expression, a grammar.

`llguidance` compiles the form and says, before each token, which tokens may follow. Where only one
text can follow, its tokens are `forced`: a scheduler computes them in one step like the draft of a
speculation and keeps those that it would have sampled, since a blind jump would tokenise otherwise
than the model does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError, MissingExtra
from openhearth.inference.request import BadConstraint, Constraint

if TYPE_CHECKING:
    import llguidance

Masks = npt.NDArray[np.uint32]

MOST_CHARACTERS = 65_536
MOST_KEPT = 64  # compiled forms
# One way to write a document, as Python's json does: most of its text is then forced.
JSON_FORM = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Compiler:
    """The constraints of one tokenizer's answers. Safe to use from several threads.

    Raises:
        MissingExtra: the `llguidance` package is not installed.
        UsageError: the tokenizer names no token that ends an answer.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        guidance = _library()
        end = sorted(tokenizer.eos_ids)
        self._tokenizer = guidance.LLTokenizer(
            tokenizer.definition, n_vocab=tokenizer.largest_id + 1, eos_token=end
        )
        self._compiled = lru_cache(MOST_KEPT)(self._compile)

    def matcher(self, constraint: Constraint) -> Matcher:
        """A matcher for one answer, from its first token on. Compiling may take a second.

        Raises:
            BadConstraint: it is malformed, too large, or nothing can satisfy it.
        """
        return Matcher(self._compiled(constraint).deep_copy(), self._tokenizer.vocab_size)

    def _compile(self, constraint: Constraint) -> llguidance.LLMatcher:
        guidance = _library()
        _check_size(constraint)
        try:
            form = _grammar(constraint)
        except ValueError as error:
            raise _refused(constraint, str(error)) from error
        limits = guidance.LLParserLimits(verbose_errors=False)
        matcher = guidance.LLMatcher(self._tokenizer, form, log_level=0, limits=limits)
        # Some forms prove impossible only when the first token is asked for.
        first = matcher.deep_copy()
        if not first.is_error():
            first.compute_bitmask()
        if first.is_error():
            raise _refused(constraint, first.get_error())
        return matcher


class Matcher:
    """What may follow in one answer. Used by one thread at a time."""

    def __init__(self, matcher: llguidance.LLMatcher, vocab_size: int) -> None:
        self._matcher = matcher
        self.vocab_size = vocab_size

    def mask(self) -> Masks:
        """The tokens that may follow: a bit for each, lowest first [ceil(vocab_size / 32)].

        Raises:
            HearthError: the constraint has become too costly to follow.
        """
        words = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint32)
        self.check()
        return words

    def accept(self, token: int) -> None:
        """Go on by a token of the answer, its end among them.

        Raises:
            HearthError: the token may not follow here.
        """
        self._matcher.consume_token(token)
        self.check()

    def forced(self) -> list[int]:
        """The tokens that must follow, as this tokenizer writes them; often none."""
        return self._matcher.compute_ff_tokens()

    @property
    def finished(self) -> bool:
        """Whether the answer is complete and nothing but its end may follow."""
        return self._matcher.is_stopped()

    def check(self) -> None:
        """Raise a HearthError if the matcher has failed, which is for good."""
        if self._matcher.is_error():
            raise HearthError(
                f"The answer cannot follow its constraint any further ({self._reason()}): "
                "use a simpler schema or grammar."
            )

    def _reason(self) -> str:
        return _shorten(self._matcher.get_error())


class Masker:
    """Masks for all constrained rows of a step, by threads that run beside it."""

    def __init__(self, threads: int) -> None:
        self._executor = _library().LLExecutor(threads)
        self._beside = ThreadPoolExecutor(1, "masks")

    def begin(
        self, answers: Sequence[tuple[Matcher, Sequence[int]]]
    ) -> Future[list[Masks | HearthError]]:
        """Start on the masks of answers of one tokenizer, each with the draft that is to be tried.

        Of each come its masks [1 + len(draft), ceil(vocab_size / 32)], for the token after the
        answer and after each of the draft's; or why there are none. Masks that follow a token of
        the draft which is not allowed are zero. The matchers must not be used meanwhile; they
        stand where they stood.
        """
        return self._beside.submit(self._compute, answers)

    def _compute(
        self, answers: Sequence[tuple[Matcher, Sequence[int]]]
    ) -> list[Masks | HearthError]:
        if not answers:
            return []
        starts = np.cumsum([0, *(1 + len(draft) for _, draft in answers)])
        words = -(-answers[0][0].vocab_size // 32)
        masks = np.zeros((starts[-1], words), dtype=np.uint32)
        work = [
            (matcher._matcher, start, list(draft))
            for (matcher, draft), start in zip(answers, starts.tolist(), strict=False)
        ]
        where = masks.ctypes.data, words * 4, len(masks)
        # The library takes answers with and without a draft apart, and no empty lists.
        if alone := [(matcher, start) for matcher, start, draft in work if not draft]:
            self._executor.unsafe_compute_mask_ptr(alone, *where)
        if drafted := [one for one in work if one[2]]:
            self._executor.unsafe_compute_mask_ptr_with_draft_token(drafted, *where)
        parts = np.split(masks, starts[1:-1])
        return [_result(matcher, part) for (matcher, _), part in zip(answers, parts, strict=True)]

    def close(self) -> None:
        """End the threads."""
        self._beside.shutdown()


def _result(matcher: Matcher, masks: Masks) -> Masks | HearthError:
    try:
        matcher.check()
    except HearthError as error:
        return error
    return masks


def _grammar(constraint: Constraint) -> str:
    matcher, value = _library().LLMatcher, constraint.value
    if constraint.kind == "choice":
        return matcher.grammar_from_lark(f"start: {' | '.join(json.dumps(text) for text in value)}")
    if not isinstance(value, str):
        raise ValueError("it must be one text")
    if constraint.kind == "regex":
        return matcher.grammar_from_regex(value)
    if constraint.kind == "grammar":
        return matcher.grammar_from_lark(value)
    return matcher.grammar_from_json_schema(value, overrides=JSON_FORM)


def _check_size(constraint: Constraint) -> None:
    texts = [constraint.value] if isinstance(constraint.value, str) else constraint.value
    size = sum(map(len, texts))
    if not texts or size > MOST_CHARACTERS:
        raise BadConstraint(
            f"The {constraint.kind} constraint has {size} characters in {len(texts)} texts, but "
            f"may have at most {MOST_CHARACTERS} and needs a text: make it smaller."
        )


def _refused(constraint: Constraint, reason: str) -> BadConstraint:
    return BadConstraint(
        f"The {constraint.kind} constraint cannot be followed ({_shorten(reason)}): correct it."
    )


def _shorten(reason: str) -> str:
    """The library's reason on one line, without its own marks."""
    return " ".join(reason.replace("<non-verbose/>", "").split())[:300]


def _library() -> Any:
    try:
        import llguidance
    except ModuleNotFoundError as error:
        raise MissingExtra("llguidance", "constraints") from error
    return llguidance
