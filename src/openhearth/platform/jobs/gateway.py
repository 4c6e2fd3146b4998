"""The gateway's routes, from the process of a job."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from openhearth.errors import HearthError
from openhearth.platform.jobs.entry import LINE, Pass
from openhearth.platform.jobs.task import Again, Later, TooLate

SECONDS = 600.0  # that an answer may take
PATIENCE = 60.0  # seconds without an answer, after which another attempt goes on
LONGEST_PAUSE = 10.0  # seconds
HELD_SECONDS = 5.0  # that a job waits for its turn and keeps its worker
BUSY = {429, 502, 503, 504}
TRIES = 3  # of what the gateway fails at


@dataclass(frozen=True)
class Answer:
    """What a route answered."""

    status: int
    body: Any
    request_id: str

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return self.status < 300


class Gateway:
    """Asks as whoever made the job, until the `deadline` in UTC seconds. Its methods may be called
    from any thread.

    `pause` is called before every try, and raises what is to end them.
    """

    def __init__(self, entry: Pass, pause: Callable[[], None], deadline: float) -> None:
        headers = {"authorization": f"Bearer {entry.key}"}
        # No proxy is to see the key, nor what a job asks.
        self._client = httpx.Client(
            base_url=entry.url, headers=headers, timeout=SECONDS, trust_env=False
        )
        self._pause = pause
        self._deadline = deadline
        self._heard = time.monotonic()
        self._answered = self._heard

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def unhurried(self) -> Gateway:
        """The same, for what is left to do when all else has been ended."""
        other = copy.copy(self)
        other._pause = lambda: None
        return other

    def post(self, path: str, body: dict[str, Any], line: str) -> Answer:
        """The answer to a request, which is charged once for each name of a line.

        Raises:
            Again: the gateway does not answer, or not to this attempt.
            Later: it has too much to do, or this key has had its share.
            TooLate: the deadline is over.
        """
        return self._ask("POST", path, self._deadline, json=body, headers={LINE: line})

    def keep(self, path: Path, purpose: str, until: float) -> str:
        """The id of a file that was made, of the same content the same; tried until a time in UTC
        seconds, whatever the deadline was.

        Raises:
            Again, Later: as `post`, or it could not be kept.
            HearthError: it could not be kept in time.
        """
        try:
            with path.open("rb") as file:
                answer = self._ask(
                    "POST",
                    "/v1/files",
                    until,
                    data={"purpose": purpose},
                    files={"file": (path.name, file)},
                )
        except TooLate as error:
            raise HearthError(
                "Its files could not be kept within a day, as the key had used up its requests: "
                "raise the limit of the key, and make the job again."
            ) from error
        if not answer.good:
            raise Again(f"the gateway did not keep a file ({answer.status})")
        return str(answer.body["id"])

    def _ask(self, method: str, path: str, until: float, **request: Any) -> Answer:
        pause, began = 0.25, time.monotonic()
        for attempt in count(1):
            self._pause()
            if time.time() > until:
                raise TooLate
            for _, file in request.get("files", {}).values():
                file.seek(0)  # which an earlier try has read
            try:
                response = self._client.request(method, path, **request)
            except httpx.TransportError as error:
                if time.monotonic() - self._heard > PATIENCE:
                    raise Again(f"the gateway does not answer ({error})") from error
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self._heard = time.monotonic()
            if response.status_code == 401:
                raise Again("its key is not good any more")
            failed = response.status_code == 500 and attempt < TRIES
            if response.status_code not in BUSY and not failed:
                self._answered = self._heard
                return Answer(
                    response.status_code,
                    _json(response),
                    response.headers.get("x-request-id", ""),
                )
            self._wait(_seconds(response) or pause, began)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError

    def _wait(self, seconds: float, began: float) -> None:
        """Before asking again what was asked first when it `began`, unless that takes long: because
        the gateway says so, or because it has answered nothing for long.
        """
        idle = time.monotonic() - max(began, self._answered)
        if idle + seconds > HELD_SECONDS:
            raise Later(max(seconds, HELD_SECONDS))
        time.sleep(seconds)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return {"error": {"message": response.text[:1000], "type": "server_error"}}


def _seconds(response: httpx.Response) -> float | None:
    """How long the gateway asks to wait."""
    said = response.headers.get("retry-after", "")
    return float(said) if said.isdecimal() else None
