"""`python -m openhearth.bench.stub`: prints its URL, and answers until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys

import uvloop
from pydantic import ValidationError

from openhearth.bench.stub.server import serve
from openhearth.bench.stub.truth import Truth


def main() -> None:
    parser = argparse.ArgumentParser(description="A server of known truth.")
    parser.add_argument("--truth", default="{}", help="JSON of a Truth, or - for standard input")
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    try:
        text = sys.stdin.read() if asked.truth == "-" else asked.truth
        truth = Truth.model_validate_json(text)
    except ValidationError as error:
        raise SystemExit(f"This is no truth: {error}") from None
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(truth, asked.port))


if __name__ == "__main__":
    main()
