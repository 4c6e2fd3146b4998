"""The gateway: `python -m openhearth.platform.gateway`, which alone speaks HTTP and has a database.

It joins what the platform is made of: accounts, the ledger, jobs and files over one database, and
the nodes of the fleet as its engine. It may be killed at any moment; the next one goes on from what
is on the disk. On SIGTERM it finishes the answers under way, within `GRACE` seconds.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from fastapi import FastAPI
from sqlalchemy import Connection

from openhearth.errors import HearthError
from openhearth.fleet import Bus, Fleet
from openhearth.fleet.broker import BUS
from openhearth.fleet.thread import new_loop
from openhearth.platform.accounts import MOST_PROJECTS, Accounts, KeyRevoked
from openhearth.platform.app import create_app
from openhearth.platform.caller import Caller
from openhearth.platform.database import Database, database_of
from openhearth.platform.embedding import EncoderEmbedder
from openhearth.platform.files import PROJECT_BYTES, Files
from openhearth.platform.finetuning import Charges, archive
from openhearth.platform.jobs import Entry, Job, Jobs, JobService, Orphans, PaidOnce, WithJobs
from openhearth.platform.keys import FIRST_KEY, LOCAL_KEY
from openhearth.platform.ledger import Ledger
from openhearth.platform.metering.ledger_meter import LedgerMeter
from openhearth.platform.operations.logs import log_as_json
from openhearth.platform.port import url_of
from openhearth.platform.server import WithLocal, configured
from openhearth.platform.services import Services
from openhearth.platform.tls import Tls
from openhearth.store import Store

if TYPE_CHECKING:
    from openhearth.inference import Engine

GRACE = 5  # seconds
PROJECTS = "OPENHEARTH_PROJECTS"  # in the environment: most projects of an organisation
WELCOME = "welcome"  # the name of the credits that an organisation begins with
LOCAL = "this machine"  # the name of the key for commands here, another secret at each start

log = logging.getLogger(__name__)


@contextmanager
def opened(
    database: Database,
    store: Store,
    free: int,
    storage: int = PROJECT_BYTES,
    projects: int = MOST_PROJECTS,
) -> Iterator[Services]:
    """What the platform keeps in a database and beside a store. Organisations begin with free
    credits, in units, and may have so many projects; projects may upload so many bytes.
    """
    with closing(Ledger(database)) as ledger:

        def welcome(connection: Connection, organisation: str) -> None:
            if free:
                ledger.grant_within(connection, organisation, free, once=WELCOME)

        accounts = Accounts(database, welcome, projects)
        with accounts.changing() as connection:
            operator = accounts.local(connection).organisation
            welcome(connection, operator)  # which a command that makes keys may have made before
        jobs = Jobs(database)
        files = Files(database, root=store.root, project_bytes=storage)
        charges = Charges(database, jobs, ledger)
        archive.sweep(store)
        yield Services(database, accounts, ledger, jobs, files, charges, store, operator)


def admit(accounts: Accounts) -> None:
    """Let in the keys that this start brings: the user's own, the first, and that of commands. One
    that was revoked meanwhile is told of: all other keys still work.
    """
    with _telling_of_revoked():
        accounts.adopt_environment()
    if first := os.environ.pop(FIRST_KEY, None):
        accounts.first_start(first)
    if local := os.environ.pop(LOCAL_KEY, None):
        with _telling_of_revoked():
            accounts.renew(LOCAL, local)


@contextmanager
def _telling_of_revoked() -> Iterator[None]:
    try:
        yield
    except KeyRevoked as error:
        log.error("%s", error)


def rights(accounts: Accounts, job: Job) -> Caller | None:
    """As whom a job asks: whoever made it, who may always hand in what was made, even if the key
    works no more. Its jobs are cancelled then, and go on until they know.
    """
    caller = accounts.caller_of(job.key)
    if caller is None:
        return None
    return replace(caller, role="member", scopes=caller.scopes & {"inference"} | {"files", "jobs"})


@asynccontextmanager
async def joined(
    bus_url: str, store: Store, services: Services, url: str
) -> AsyncIterator[FastAPI]:
    """The application, which jobs find at `url`, as long as it is a member of the fleet."""
    entry = Entry(url, services.jobs, partial(rights, services.accounts))
    authority: WithJobs[Caller] = WithJobs(services.accounts, entry)
    async with AsyncExitStack() as stack:
        name = f"gateway-{secrets.token_hex(8)}"
        bus = await stack.enter_async_context(await Bus.connect(bus_url, name))
        fleet = await stack.enter_async_context(await Fleet.join(bus, store))
        orphans = Orphans(services.database, services.jobs, services.accounts.working)
        await stack.enter_async_context(JobService(services.jobs, bus, entry, orphans).serving())
        await stack.enter_async_context(services.charges.running())

        def check_nodes() -> None:
            if not fleet.nodes():
                raise LookupError("no node is there")

        yield create_app(
            cast("Engine", fleet),  # all of it that routes use
            authority,
            services.database,
            meter=PaidOnce(LedgerMeter(services.ledger), services.ledger.receipt),
            services=services,
            embedder=EncoderEmbedder(store),
            memory=fleet.memory,
            checks={"node": check_nodes},
        )


async def run(
    listener: socket.socket,
    local: socket.socket,
    bus_url: str,
    store: Store,
    services: Services,
    tls: Tls | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT: everybody, by TLS if that is given, and this machine."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn sends itself again the signal that ended it, after which there is more to do.
        signal.signal(number, lambda *_: None)
    url = url_of(*local.getsockname()[:2])
    async with joined(bus_url, store, services, url) as app:
        gc.collect()
        gc.freeze()  # what is here now stays, and need not be looked through again and again
        await WithLocal(configured(app, GRACE, tls), local).serve([listener])


@click.command()
@click.option("--bus", envvar=BUS, required=True, help=f"The broker's URL; also from {BUS}.")
@click.option("--home", type=click.Path(path_type=Path), help="The store's directory.")
@click.option("--listener", type=int, required=True, help="The descriptor of a bound socket.")
@click.option("--local", type=int, required=True, help="That of one for this machine, without TLS.")
@click.option("--tls", type=click.Path(path_type=Path), nargs=2, help="A certificate and its key.")
@click.option("--credits", "free", default=0, help="What organisations begin with, in units.")
@click.option("--storage", default=PROJECT_BYTES, help="Bytes that a project may upload.")
@click.option(
    "--projects",
    envvar=PROJECTS,
    default=MOST_PROJECTS,
    type=click.IntRange(1),
    help=f"What an organisation may have; also from {PROJECTS}.",
)
def main(
    bus: str,
    home: Path | None,
    listener: int,
    local: int,
    tls: tuple[Path, Path] | None,
    free: int,
    storage: int,
    projects: int,
) -> None:
    """Serve the platform of a home."""
    log_as_json(logging.INFO)
    try:
        store = Store(home)
        with (
            closing(database_of(store.root)) as database,
            opened(database, store, free, storage, projects) as services,
            asyncio.Runner(loop_factory=new_loop) as runner,
        ):
            admit(services.accounts)
            everybody, near = (socket.socket(fileno=file) for file in (listener, local))
            certified = Tls(*tls) if tls else None
            runner.run(run(everybody, near, bus, store, services, certified))
    except HearthError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
