"""Models that other servers compute: vLLM, SGLang, llama-server, another hearth, a hosted API.

In: a model's name here, and a URL or a command. Out: what an engine needs to pass requests on. It
owns the way of a request there and back, the queue before it, and the process if there is one.
Importing it needs the extra `serve`.
"""

from openhearth.errors import MissingExtra

try:
    from openhearth.inference.remote.connect import Connection, connect
    from openhearth.inference.remote.lane import RemoteLane
    from openhearth.inference.remote.relay import Relay
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    raise MissingExtra(error.name, "serve") from error

__all__ = ["Connection", "Relay", "RemoteLane", "connect"]
