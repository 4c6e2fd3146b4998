"""What Prometheus reads. Every label has few values, whatever callers send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.responses import Response

if TYPE_CHECKING:
    from openhearth.fleet.memory import Memory
    from openhearth.fleet.messages import Load

METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"}
OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
MOST_RETRIES = 3  # told apart


class Metrics:
    """The counts of one server, of which a process may have several."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "openhearth_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "openhearth_request_seconds",
            "From a request's arrival to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "openhearth_requests_in_flight", "Requests not yet answered.", registry=registry
        )
        self.retries = Counter(
            "openhearth_retries",
            "Requests that a client of OpenAI's or Together's repeats, by how often it did before.",
            ["count"],
            registry=registry,
        )
        self.refused = Counter(
            "openhearth_refused",
            "Requests refused for want of room: in the server, or in the engine's queue.",
            ["where"],
            registry=registry,
        )
        self.waiting = Gauge(
            "openhearth_generations_waiting", "Generations without a token yet.", registry=registry
        )
        self.first_token = Histogram(
            "openhearth_first_token_seconds",
            "From a generation's beginning to its first token.",
            buckets=SECONDS,
            registry=registry,
        )
        self.tokens = Counter(
            "openhearth_tokens",
            "Tokens given to models, and written by them.",
            ["direction"],
            registry=registry,
        )
        self.load_seconds = Histogram(
            "openhearth_model_load_seconds",
            "From when a model was asked for until it was in memory and could answer.",
            ["model"],
            buckets=SECONDS,
            registry=registry,
        )
        self.loads = Counter(
            "openhearth_model_loads", "Models that came into memory.", ["model"], registry=registry
        )
        self.unloads = Counter(
            "openhearth_model_unloads", "Models that left memory.", ["model"], registry=registry
        )
        self.in_memory = Gauge(
            "openhearth_models_in_memory", "Models in the memory of all nodes.", registry=registry
        )
        self.bytes_in_memory = Gauge(
            "openhearth_models_in_memory_bytes",
            "The files of the models in the memory of all nodes.",
            registry=registry,
        )

    def follow(self, memory: Memory) -> None:
        """Count what comes into memory, and what leaves it."""
        memory.watcher = self
        self.in_memory.set_function(lambda: len(memory.all()))
        self.bytes_in_memory.set_function(lambda: sum(load.bytes for load in memory.all()))

    def loaded(self, model: str, load: Load) -> None:
        """A model has come into memory."""
        self.loads.labels(model).inc()
        self.load_seconds.labels(model).observe(load.seconds)

    def unloaded(self, model: str) -> None:
        """A model has left memory."""
        self.unloads.labels(model).inc()

    def response(self) -> Response:
        """All of them, in Prometheus' format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request is over."""
        known = method if method in METHODS else OTHER
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def repeated(self, count: str) -> None:
        """A client says that it has sent this request so often before."""
        if count.isdecimal() and len(count) < 4 and int(count):
            times = int(count)
            self.retries.labels(str(times) if times <= MOST_RETRIES else f"{MOST_RETRIES}+").inc()
