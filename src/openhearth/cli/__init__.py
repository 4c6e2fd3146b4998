"""`hearth`: every room from the command line, thin over what the rooms do.

Commands are imported when they are called, so that help is instant. One place, `main`, turns errors
into a sentence and an exit code: 0 done, 1 failed, 2 wrong usage, 3 not found, 130 stopped.
"""

from __future__ import annotations

import os
import sys
import traceback

import click

from openhearth import __version__
from openhearth.cli.frame import OUTPUT, STOPPED
from openhearth.cli.lazy import LazyGroup
from openhearth.errors import HearthError

COMMANDS = {
    "demo": ("openhearth.cli.demo:demo", "From the text you have to a tuned, measured model."),
    "up": ("openhearth.cli.up:up", "The whole platform on this machine."),
    "down": ("openhearth.cli.up:down", "End what `hearth up` runs."),
    "status": ("openhearth.cli.up:status", "What runs, and where."),
    "serve": ("openhearth.cli.serve:serve", "Serve one model, and adapters, alone."),
    "keys": ("openhearth.cli.keys:keys", "API keys: make, list, revoke."),
    "chat": ("openhearth.cli.chat:chat", "Talk to a model."),
    "run": ("openhearth.cli.chat:run", "One answer to one prompt."),
    "pull": ("openhearth.cli.pull:pull", "Bring a model into the store."),
    "push": ("openhearth.cli.store:send", "Copy artifacts of this home to another place."),
    "data": ("openhearth.cli.data:data", "From text to datasets and tokens."),
    "train": ("openhearth.cli.train:train", "Train as a recipe says."),
    "study": ("openhearth.cli.study:study", "Which layers are best, and what larger ones will do."),
    "models": ("openhearth.cli.models:models", "Sizes of models, and models in and out."),
    "tune": ("openhearth.cli.tune:tune", "Adapt a model to a dataset."),
    "jobs": ("openhearth.cli.jobs:jobs", "What a server is doing; watch it, stop it."),
    "files": ("openhearth.cli.files:files", "Files of a server: bring them, fetch them."),
    "bench": ("openhearth.cli.bench:bench", "Measure a server."),
    "eval": ("openhearth.cli.eval:evaluate", "How good a model is, on texts and tasks."),
    "usage": ("openhearth.cli.usage:usage", "What was used, and what it cost."),
    "prices": ("openhearth.cli.usage:prices", "What tokens cost, and new prices."),
    "ls": ("openhearth.cli.store:ls", "What the store holds."),
    "show": ("openhearth.cli.store:show", "One artifact's manifest."),
    "lineage": ("openhearth.cli.store:show_lineage", "What an artifact was made from."),
    "rm": ("openhearth.cli.store:rm", "Remove an artifact that nothing needs."),
    "gc": ("openhearth.cli.store:gc", "Free the space of what is not used."),
    "doctor": ("openhearth.cli.doctor:doctor", "What this machine can do, and what is missing."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", metavar="DIR", help="Where the store is (else OPENHEARTH_HOME).")
@click.option("--json", "as_json", is_flag=True, help=OUTPUT["json"])
@click.option("--quiet", is_flag=True, help=OUTPUT["quiet"])
@click.version_option(__version__, prog_name="hearth")
@click.pass_context
def hearth(context: click.Context, home: str | None, as_json: bool, quiet: bool) -> None:
    """OpenHearth: text in, models out, on whatever machines you have."""
    if home:
        os.environ["OPENHEARTH_HOME"] = home
    context.obj = {"json": as_json, "quiet": quiet}


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run())


def run() -> int:
    """Run the command line; return the exit code. Every error ends here, as a sentence."""
    # Arrow's other pools keep what is given back to them: a quarter more memory.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        return hearth.main(prog_name="hearth", standalone_mode=False) or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except HearthError as error:
        click.echo(f"hearth: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nStopped. Run the same command again to go on.", err=True)
        return STOPPED
    except BrokenPipeError:
        # Whoever read us has gone; Python must not try to flush to them at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        click.echo(
            f"hearth: this is a bug: {type(error).__name__}: {error}. Set HEARTH_DEBUG=1 to see "
            "where, and report it with the command that you ran.",
            err=True,
        )
        if os.environ.get("HEARTH_DEBUG"):
            traceback.print_exc()
        return 1
