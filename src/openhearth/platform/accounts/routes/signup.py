"""`POST /v1/signup` and `POST /v1/login`: the two routes that need no key, and give one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from openhearth.platform.accounts import organisations
from openhearth.platform.accounts.routes.common import PRINTABLE, Body, Email, Name
from openhearth.platform.accounts.routes.keys import NewKeyReply, fields
from openhearth.platform.accounts.routes.tries import Tries
from openhearth.platform.accounts.routes.whoami import Organisation, Project
from openhearth.platform.errors import ApiError, bad_request

if TYPE_CHECKING:
    from openhearth.platform.accounts.accounts import Accounts, Joined

EXAMPLE: dict[str, Any] = {"email": "ada@example.org", "password": "correct horse battery"}


class Login(Body):
    """Who, and the proof."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    email: Email
    password: Annotated[SecretStr, Field(min_length=1, max_length=256)]


class SignUp(Body):
    """A new user. `organization` is what its own is called; `invite`, the token of one, leads into
    the organisation of another instead.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE | {"organization": "Ours"}]})

    email: Email
    password: Annotated[SecretStr, Field(min_length=8, max_length=256)]
    name: Name | None = None
    organization: Name | None = None
    invite: Annotated[str, StringConstraints(max_length=256, pattern=PRINTABLE)] | None = None


class UserReply(BaseModel):
    """Who came in."""

    id: str
    email: str
    name: str


class JoinedReply(BaseModel):
    """Where it came in, and a key, which is shown only this once."""

    user: UserReply
    organization: Organisation
    project: Project
    api_key: NewKeyReply


def router(accounts: Accounts) -> APIRouter:
    """The two routes."""
    routes = APIRouter()
    tries = Tries()

    @routes.post("/v1/signup")
    def sign_up(body: SignUp, http: Request) -> JoinedReply:
        _count(http, body.email)
        joined = accounts.sign_up(
            body.email,
            body.password.get_secret_value(),
            body.name or body.email.partition("@")[0],
            organisation=body.organization,
            invite=body.invite,
        )
        if joined is None:
            raise bad_request(
                "This e-mail address has an account: log in with POST /v1/login.",
                "email",
                "email_taken",
            )
        return _reply(joined)

    @routes.post("/v1/login")
    def log_in(body: Login, http: Request) -> JoinedReply:
        _count(http, body.email)
        joined = accounts.log_in(body.email, body.password.get_secret_value())
        if joined is None:
            raise ApiError(
                401,
                "The e-mail address or the password is wrong: try again, or sign up with POST "
                "/v1/signup.",
                code="invalid_credentials",
            )
        return _reply(joined)

    def _count(http: Request, email: str) -> None:
        tries.count(http.client.host if http.client else None, email)

    def _reply(joined: Joined) -> JoinedReply:
        home = joined.home
        with accounts.database.reading() as connection:
            name = organisations.name_of(connection, home.organisation)
            project = organisations.project(connection, home.organisation, home.project)
        assert project is not None
        return JoinedReply(
            user=UserReply(id=home.user.id, email=home.user.email, name=home.user.name),
            organization=Organisation(id=home.organisation, name=name),
            project=Project(id=project.id, name=project.name, slug=project.slug),
            api_key=NewKeyReply(**fields(joined.key), value=joined.secret),
        )

    return routes
