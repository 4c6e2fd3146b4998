"""How to run a model: options that all commands with an engine have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", re.IGNORECASE)


class Size(click.ParamType):
    """A number of bytes, such as 2GiB."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The number; a wrong text is told with the right form."""
        if isinstance(value, int):
            return value
        found = SIZE.fullmatch(value.strip())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no size: write it as 2GiB or 500MB.", param, ctx)
        return int(float(found[1]) * UNITS[(found[2] or "").lower()])


OPTIONS = [
    click.option(
        "--executor",
        type=click.Choice(["auto", "native", "torch", "remote", "vllm", "sglang", "llama-server"]),
        default="auto",
        show_default=True,
        help="What computes: C++ kernels, torch (a GPU, or as the reference), or another server.",
    ),
    click.option(
        "--remote",
        metavar="URL[#NAME]|COMMAND",
        help="The server of --executor remote, or what starts one on {port}, of {model}.",
    ),
    click.option(
        "--dtype",
        default="auto",
        show_default=True,
        help="Of the weights: float32, bfloat16; of native ones also int8, int4-min, int4-head8, "
        "int4.",
    ),
    click.option(
        "--kv-memory",
        type=Size(),
        default="1GiB",
        show_default=True,
        help="For keys and values; more lets more and longer requests run together.",
    ),
    click.option(
        "--kv-dtype",
        default="auto",
        show_default=True,
        help="Of keys and values, natively: int16, or int8, of which twice as many fit.",
    ),
    click.option(
        "--adapter-memory",
        type=Size(),
        default="1GiB",
        show_default=True,
        help="For adapters; those that are not in use leave when others need the room.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads that compute, else all cores."),
]


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; they come as keywords that `Engine` takes."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
