"""Errors that a person can act on: what happened, why, and what to do, in one sentence.

Every expected failure in OpenHearth is a `HearthError`; the command line prints its text and exits
with its code, the HTTP API turns it into its error object. Anything else that escapes is a bug.
"""


class HearthError(Exception):
    """An expected failure, whose text names the thing, the reason and the remedy."""

    exit_code = 1


class UsageError(HearthError):
    """The request itself makes no sense: a wrong flag, recipe or parameter."""

    exit_code = 2


class NotFound(HearthError):
    """A named artifact, model or file does not exist."""

    exit_code = 3


class CorruptArtifact(HearthError):
    """Bytes do not match the digest that names them."""


class MissingTool(HearthError):
    """A program of this machine is needed and not installed."""


class MissingExtra(HearthError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed and is needed here: "
            f"run `pip install 'openhearth[{extra}]'`."
        )
