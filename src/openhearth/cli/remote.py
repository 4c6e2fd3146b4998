"""A running server, for the commands that ask one: where it is, and what it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openhearth.errors import HearthError, MissingExtra, NotFound, UsageError
from openhearth.platform.running import running
from openhearth.store.disk import home

if TYPE_CHECKING:
    import httpx

URL = "http://127.0.0.1:8080"
NEAR = ("http://127.", "http://localhost:", "http://[::1]:")
SECONDS = 60.0  # to answer, or to say more


class Remote:
    """The server at `OPENHEARTH_URL`, asked with the key `OPENHEARTH_API_KEY`; where these are not
    set, the one that `hearth up` runs over this home, with the key that it keeps for commands, and
    where it listens for them, without TLS.
    """

    def __init__(self) -> None:
        here = running(home())
        asked = os.environ.get("OPENHEARTH_URL", here.url if here else URL).rstrip("/")
        self.url, key = (here.local, here.key) if here and asked == here.url else (asked, "")
        self._key = os.environ.get("OPENHEARTH_API_KEY", key)

    def get(self, path: str, **parameters: Any) -> Any:
        """What a GET answers. Parameters that are None are left out.

        Raises:
            NotFound, UsageError or HearthError: what the server says, or that it does not answer.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        return self._json("GET", path, params=given)

    def post(self, path: str, **body: Any) -> Any:
        """What a POST of `json`, or of `data` and `files`, answers."""
        return self._json("POST", path, **body)

    def delete(self, path: str) -> Any:
        """What a DELETE answers."""
        return self._json("DELETE", path)

    @contextmanager
    def streaming(
        self, path: str, accept: str = "*/*", **parameters: Any
    ) -> Iterator[httpx.Response]:
        """The response to a GET, whose body comes as it is read."""
        with self._client() as client, self._explained():
            headers = {"accept": accept}
            with client.stream("GET", path, params=parameters, headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise _failure(response)
                yield response

    def _json(self, method: str, path: str, **request: Any) -> Any:
        with self._client() as client, self._explained():
            response = client.request(method, path, **request)
            if response.is_error:
                raise _failure(response)
            return response.json()

    def _client(self) -> httpx.Client:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise MissingExtra("httpx", "serve") from error
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        # What is for this machine, with its key, goes through no proxy.
        far = not self.url.startswith(NEAR)
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS, trust_env=far)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HearthError(
                f"{self.url} does not answer ({error}): start it with `hearth up`, or name another "
                "in OPENHEARTH_URL."
            ) from error


def _failure(response: httpx.Response) -> HearthError:
    """What the server says went wrong."""
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = f"The server answered {response.status_code}: is {response.url} an OpenHearth?"
    if response.status_code == 401:
        message += " The command takes it from OPENHEARTH_API_KEY."
    if response.status_code == 404:
        return NotFound(message)
    return UsageError(message) if response.status_code in (400, 422) else HearthError(message)
