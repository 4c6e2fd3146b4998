"""What `gateway.py` compares: a stub of an engine, and each gateway in front of one.

All of them run one process for HTTP, and take the same key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _peers import peer_python, pinned
from _running import Server, process, running, wait

from openhearth.fleet import Broker
from openhearth.fleet.broker import BUS
from openhearth.platform.keys import OWN_KEY
from openhearth.platform.port import bound, url_of
from openhearth.processes import LOOPBACK

HERE = Path(__file__).parent
KEY = "sk-for-benchmarks-and-nothing-else"
CREDITS = 10**14  # units: more than is ever spent
BACKLOG = 128

# Their "Best Practices for Production" (https://docs.litellm.ai/docs/proxy/prod): one worker for
# each processor that it may have, no debugging, errors only in the log. It has no database, so no
# keys of its own, no budgets and no spend to write down.
LITELLM = """
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: {url}/v1, api_key: none}}
general_settings: {{master_key: {key}, disable_error_logs: true}}
litellm_settings: {{request_timeout: 600, set_verbose: false}}
"""
QUIET = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_TELEMETRY": "False"}


@contextmanager
def stub(model: str) -> Iterator[Server]:
    """The stub that speaks HTTP."""
    command = [sys.executable, str(HERE / "_stub_server.py")]
    with running(command, model, os.environ) as server:
        yield server


@contextmanager
def hearth(home: str, model: str) -> Iterator[Server]:
    """Our gateway, as `hearth up` starts it, over the store at `home`, with accounts, limits and
    the ledger; behind it the broker, and the stub that speaks on the bus.
    """
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        listener, local = (stack.enter_context(bound(LOOPBACK, 0)) for _ in range(2))
        log = stack.enter_context(Path(home, "gateway.log").open("w"))
        listener.listen(BACKLOG)
        environment = os.environ | {BUS: broker.url, OWN_KEY: KEY, "OPENHEARTH_HOME": home}
        stack.enter_context(process([sys.executable, str(HERE / "_stub_node.py")], environment))
        files = (listener.fileno(), local.fileno())
        command = [sys.executable, "-m", "openhearth.platform.gateway"]
        command += ["--listener", str(files[0]), "--local", str(files[1])]
        command += ["--credits", str(CREDITS)]
        gateway = stack.enter_context(process(command, environment, files, log.fileno()))
        url = url_of(LOOPBACK, listener.getsockname()[1])
        wait(f"{url}/readyz", gateway)
        yield Server(url, model, gateway)


@contextmanager
def litellm(engine: Server, folder: Path) -> Iterator[Server]:
    """LiteLLM's proxy in front of an engine."""
    python = peer_python("litellm", pinned("litellm[proxy]"))
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(model=engine.model, url=engine.url, key=KEY))
    command = [str(python.with_name("litellm")), "--config", str(config), "--num_workers", "1"]
    alive = "/health/liveliness"
    with running(command, engine.model, os.environ | QUIET, alive) as server:
        yield server
