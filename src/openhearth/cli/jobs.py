"""`hearth jobs`: what a server has been asked to do, how far it is, and stopping it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from openhearth.cli.frame import emit, table
from openhearth.cli.lazy import LazyGroup
from openhearth.cli.remote import Remote
from openhearth.errors import HearthError

HERE = "openhearth.cli.jobs"
FAILED = 1
PAGE = 1000
DATA = "data: "

jobs = LazyGroup(
    "jobs",
    help="Jobs of the platform that runs here, or of the server at OPENHEARTH_URL.",
    lazy={
        "list": (f"{HERE}:list_jobs", "Those of the project, newest first."),
        "watch": (f"{HERE}:watch", "What a job says, as it says it, until it is over."),
        "logs": (f"{HERE}:logs", "What a job has said so far."),
        "cancel": (f"{HERE}:cancel", "Ask a job to stop."),
    },
)


@click.command("list")
@click.option("--kind", help="Only jobs of this kind.")
@click.option("--after", metavar="ID", help="Those that follow a job.")
@click.option("--limit", type=click.IntRange(1, PAGE), default=20, show_default=True)
def list_jobs(kind: str | None, after: str | None, limit: int) -> None:
    """List the jobs of the project, newest first."""
    page = Remote().get("/v1/jobs", kind=kind, after=after, limit=limit)
    rows = [
        [job["id"], job["kind"], job["status"], _time(job["created_at"])] for job in page["data"]
    ]
    if not rows:
        emit(page, "There are no jobs.")
        return
    more = f"\nMore: --after {page['last_id']}" if page["has_more"] else ""
    emit(page, lambda: table(["job", "kind", "status", "created"], rows) + more)


@click.command()
@click.argument("job")
@click.option("--after", type=int, default=0, help="Begin after the event of this number.")
def watch(job: str, after: int) -> None:
    """Show what JOB says, as it says it, until it is over. With --json each event is a line."""
    server = Remote()
    for event in _stream(server, job, after):
        _show(event)
    found = server.get(f"/v1/jobs/{job}")
    if found["status"] != "succeeded":
        raise click.exceptions.Exit(FAILED)


@click.command()
@click.argument("job")
@click.option("--after", type=int, default=0, help="Begin after the event of this number.")
def logs(job: str, after: int) -> None:
    """Show what JOB has said so far. With --json each event is a line."""
    server, more = Remote(), True
    while more:
        page = server.get(f"/v1/jobs/{job}/events", after=after, limit=PAGE)
        for event in page["data"]:
            _show(event)
            after = event["number"]
        more = page["has_more"]


@click.command()
@click.argument("job")
def cancel(job: str) -> None:
    """Ask JOB to stop; what it has done so far stays."""
    found = Remote().post(f"/v1/jobs/{job}/cancel")
    emit(found, f"{found['id']} is {found['status']}.")


def _stream(server: Remote, job: str, after: int) -> Iterator[dict[str, Any]]:
    path = f"/v1/jobs/{job}/events"
    with server.streaming(path, "text/event-stream", after=after) as response:
        for line in response.iter_lines():
            if line.startswith(f"{DATA}{{"):
                event = json.loads(line.removeprefix(DATA))
                if "error" in event:
                    raise HearthError(event["error"]["message"])
                yield event


def _show(event: dict[str, Any]) -> None:
    context = click.get_current_context()
    if (context.obj or {}).get("json"):
        click.echo(json.dumps(event, ensure_ascii=False))
    else:
        note = " ".join(f"{name}={value}" for name, value in event["data"].items())
        words = [_time(event["created_at"]), event["type"], event["message"], note]
        click.echo("  ".join(filter(None, words)))


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
