"""A peer's end of `_peers.peer_side`: each line of JSON, `[work, …]`, is answered by another."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(work: dict[str, Callable[..., Any]]) -> None:
    """Answer by these functions, and by the methods of what `open` has made last.

    What a package prints, from C++ also, goes to the errors, so that it is not taken for an answer.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    model = None
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "open":
            model, answer = work["open"](*arguments), None
        else:
            answer = (work[name] if name in work else getattr(model, name))(*arguments)
        print(json.dumps(answer), file=answers, flush=True)
