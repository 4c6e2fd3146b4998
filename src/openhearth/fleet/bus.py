"""The bus: publish, subscribe, request and serve, over a broker that may die and come back.

All that the fleet needs of NATS is here. A message is delivered once or not at all, and those of
one publisher on one subject in their order. A member who loses the broker tries without end to
come back, keeps what he publishes meanwhile, up to a bound, and has his subscriptions again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from openhearth.errors import HearthError
from openhearth.fleet.errors import BusDown, NoReply, NoResponders, error_of, kind_of

Handler = Callable[[bytes], object]
Service = Callable[[bytes], Awaitable[bytes]]

CONNECTING = 5.0  # seconds, for the first time
PAUSE = 0.05  # seconds between tries to come back; the library's are 2
PINGS = 2  # seconds between looks whether the broker is still there
FOREVER = -1
KEPT = 16 * 2**20  # bytes published while it is not
ERROR = "error"  # the header of an answer that is one; its value is the kind

log = logging.getLogger(__name__)


class Bus:
    """A connection under a name, by which the broker tells others that it is gone.

    For one event loop, in which its methods and all handlers run.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self.loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, url: str, name: str) -> Bus:
        """Connect to the broker at `url`, which holds the secret; wait for it if it is starting.

        Raises:
            BusDown: it does not answer, or not to us.
        """
        last = ""

        async def complain(error: Exception) -> None:
            nonlocal last
            last = str(error) or type(error).__name__
            log.debug("the bus: %s", last)

        client = Client()
        try:
            await client.connect(
                url,
                name=name,
                error_cb=complain,
                reconnect_time_wait=PAUSE,  # type: ignore[arg-type]  # a part of a second will do
                max_reconnect_attempts=int(CONNECTING / PAUSE),
                ping_interval=PINGS,
                pending_size=KEPT,
            )
        except errors.Error as error:
            where = urlsplit(url)
            raise BusDown(
                f"The broker at {where.hostname}:{where.port} does not answer ({last}): is it "
                "running, and is the URL the one that it was started with?"
            ) from error
        client.options["max_reconnect_attempts"] = FOREVER
        return cls(client, name)

    async def publish(self, subject: str, data: bytes) -> None:
        """Send to whoever subscribes; that may be nobody.

        Raises:
            BusDown: it is closed, or more was published than is kept while the broker is gone.
        """
        try:
            await self._client.publish(subject, data)
        except errors.Error as error:
            raise BusDown(f"The bus takes no message ({error}): try again later.") from error

    def post(self, subject: str, data: bytes) -> None:
        """`publish` soon, from within the event loop; if it fails, the log says so."""
        self._keep(self._post(subject, data))

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        """The answer of whoever serves the subject.

        Raises:
            NoResponders: at once, because there is nobody.
            NoReply: no answer came in time.
            BusDown: as `publish`.
            HearthError: the answer is an error; it has the type that was raised there.
        """
        try:
            answer = await self._client.request(subject, data, timeout)
        except errors.NoRespondersError as error:
            raise NoResponders(f"Nobody answers on {subject}.") from error
        except errors.TimeoutError as error:
            raise NoReply(f"No answer on {subject} within {timeout:g} s.") from error
        except errors.Error as error:
            raise BusDown(f"The bus takes no request ({error}): try again later.") from error
        if answer.headers and ERROR in answer.headers:
            raise error_of(answer.headers[ERROR], answer.data.decode(errors="replace"))
        return answer.data

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> None:
        """Call `handler` with every message, in order; of a `queue`, one member gets each.

        What the handler cannot read, which it says by a `HearthError`, is dropped.
        """

        async def receive(message: Msg) -> None:
            try:
                handler(message.data)
            except HearthError as error:
                log.warning("a message on %s is dropped: %s", subject, error)
            except Exception:
                log.exception("a message on %s could not be handled", subject)

        await self._client.subscribe(subject, queue=queue, cb=receive)

    async def serve(self, subject: str, service: Service, queue: str = "") -> None:
        """Answer every request on a subject, many at once; of a `queue`, one member answers each.

        A `HearthError` that the service raises is raised where the request came from.
        """

        async def receive(message: Msg) -> None:
            self._keep(self._answer(message, service))

        await self._client.subscribe(subject, queue=queue, cb=receive)

    async def flush(self) -> None:
        """Until the broker has got all that was published and knows all subscriptions."""
        await self._client.flush()

    async def close(self) -> None:
        """End, after what was published has gone out, if the broker is still there."""
        with contextlib.suppress(RuntimeError):  # of uvloop, whose connection it has closed
            await self._client.close()
        for task in self._tasks:
            task.cancel()

    async def __aenter__(self) -> Bus:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, subject: str, data: bytes) -> None:
        try:
            await self.publish(subject, data)
        except BusDown as error:
            log.warning("a message on %s is lost: %s", subject, error)

    async def _answer(self, message: Msg, service: Service) -> None:
        headers, answer = None, b""
        try:
            answer = await service(message.data)
        except HearthError as error:
            headers, answer = {ERROR: kind_of(error)}, str(error).encode(errors="replace")
        except Exception:
            log.exception("a request on %s failed", message.subject)
            headers, answer = {ERROR: "HearthError"}, b"The request failed; the log says why."
        if message.reply:
            with contextlib.suppress(errors.Error):  # whoever asked finds out by himself
                await self._client.publish(message.reply, answer, headers=headers)
