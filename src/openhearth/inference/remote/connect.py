"""From a model's name and a server to what an engine needs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from openhearth.data.tokenizer import Tokenizer, find_tokenizer
from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference.remote.child import PRESETS, Child
from openhearth.inference.remote.lane import RemoteLane
from openhearth.inference.remote.peer import Listed, Peer
from openhearth.inference.remote.relay import Relay
from openhearth.inference.request import ModelCard
from openhearth.models import config_of, find
from openhearth.store import Artifact, Store

LONGEST = 1_000_000  # tokens, where nobody says; the server refuses what it cannot hold
SHOWN = 8  # models of a server, in an error


@dataclass(frozen=True)
class Connection:
    """A model of another server, ready to be asked."""

    card: ModelCard
    tokenizer: Tokenizer
    lane: RemoteLane
    relay: Relay


def connect(
    store: Store, model: str, executor: str, remote: str | None, most_running: int
) -> Connection:
    """Ask for the model at `remote`, a URL with `#NAME` if the server calls it otherwise, or start
    a server: by the command `remote`, in which `{port}` stands for where it is to listen, or by
    that which belongs to an `executor` such as `vllm`.

    `model` gives the tokenizer and the template. Of a directory nothing else is read.

    Raises:
        UsageError: `remote` is neither a URL nor a command, or `model` is an adapter.
        NotFound: there is no such model, here or there.
        HearthError: the server does not answer or does not start.
    """
    where = remote or PRESETS[executor]
    artifact = find_tokenizer(store, model) if Path(model).is_dir() else find(store, model)
    if artifact.kind == "adapter":
        raise UsageError(f"{model} is an adapter, which runs where its base does: load it there.")
    tokenizer = Tokenizer.load(artifact)
    with ExitStack() as started:
        if "{port}" in where:
            child, name = Child(where, _path(model, artifact)), ""
            started.callback(child.stop)
            peer = Peer(child.url, child.key)
            child.wait(lambda: _answers(peer))
        else:
            address, _, name = where.partition("#")
            peer = Peer.at(address)
        found = _choose(peer, name, model)
        lane = RemoteLane(peer, found, tokenizer)
        relay = Relay(peer, most_running, started.pop_all().close)
    return Connection(_card(model, artifact, found), tokenizer, lane, relay)


def _path(model: str, artifact: Artifact) -> str | None:
    """Where other servers find the model's weights."""
    if Path(model).exists():
        return str(Path(model).resolve())
    return str(artifact.path("model.gguf")) if "model.gguf" in artifact.manifest.files else None


def _answers(peer: Peer) -> bool:
    try:
        peer.models()
    except HearthError:
        return False
    return True


def _choose(peer: Peer, name: str, model: str) -> Listed:
    """The model that is meant: by its name there, by that here, or because it is the only one."""
    listed = peer.models()
    for one in listed:
        if one.id == (name or model):
            return one
    if len(listed) == 1 and not name:
        return listed[0]
    known = ", ".join([one.id for one in listed[:SHOWN]] + ["…"] * (len(listed) > SHOWN))
    raise NotFound(
        f"The server {peer.url} has no model {name or model!r}, but {known or 'none'}: write the "
        "one that is meant behind the URL and a #."
    )


def _card(model: str, artifact: Artifact, found: Listed) -> ModelCard:
    longest = found.longest
    if longest is None and artifact.kind == "model":
        longest = config_of(artifact).context_length
    return ModelCard(
        name=model,
        digest=artifact.digest,
        context_length=longest or LONGEST,
        license=artifact.manifest.license,
        created=artifact.created,
    )
