"""What a path asks of its caller: nothing, a key, or a key with a scope.

A path that no line here names needs the scope `admin`, so that forgetting a line opens nothing.
"""

from __future__ import annotations

from openhearth.platform.caller import Caller
from openhearth.platform.errors import ApiError

OPEN = frozenset(
    {
        "/health",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/v1/signup",
        "/v1/login",
        "/v1/finetune/dataset",  # whose address is itself the permission
    }
)
FILES = "/v1/files"
UPLOADS = "/v1/files/uploads/"  # where Together's client puts files, without its key
# By the beginning of the path, up to a slash; the first that fits.
NEEDS: dict[str, str | None] = {
    "/v1/models": None,
    "/v2/supported-models": None,
    "/v3/whoami": None,
    "/v1/projects": None,
    "/v1/chat/completions": "inference",
    "/v1/completions": "inference",
    "/v1/embeddings": "inference",
    "/v1/rerank": "inference",
    "/v1/responses": "inference",
    "/v1/files": "files",
    "/v1/uploads": "files",
    "/v1/fine-tunes": "jobs",
    "/v1/finetune": "jobs",
    "/v1/fine_tuning": "jobs",
    "/v1/batches": "jobs",
    "/v1/evaluation": "jobs",
    "/v1/jobs": "jobs",
    "/v1/billing": "usage",
    "/v1/organization/usage": "usage",
    "/v1/organization/costs": "usage",
}
READING = frozenset({"GET", "HEAD"})


def is_open(method: str, path: str) -> bool:
    """Whether no key is needed; the address of an upload is itself the permission."""
    return path in OPEN or (method == "PUT" and path.startswith(UPLOADS))


def is_upload(method: str, path: str) -> bool:
    """Whether the body is a file."""
    return (method == "POST" and path == FILES) or (method == "PUT" and path.startswith(UPLOADS))


def admit(caller: Caller, method: str, path: str) -> None:
    """Let the caller in.

    Raises:
        ApiError: 403, which names the scope that is missing, or says that a reader cannot write.
    """
    scope = scope_of(path)
    if scope is not None and scope not in caller.scopes:
        raise _forbidden(
            f"This key may not use {path}, which needs the scope {scope!r}: use a key that has it, "
            "or ask an owner of the organisation for one.",
            "missing_scope",
        )
    if caller.role == "reader" and method not in READING:
        raise _forbidden(
            "This key belongs to a reader, who may look but not make or change anything: ask an "
            "owner of the organisation for the role of a member.",
            "insufficient_role",
        )


def scope_of(path: str) -> str | None:
    """The scope that a path needs; None if any key will do."""
    for beginning, scope in NEEDS.items():
        if path == beginning or path.startswith(f"{beginning}/"):
            return scope
    return "admin"


def _forbidden(message: str, code: str) -> ApiError:
    return ApiError(403, message, kind="permission_error", code=code)
