"""What Prometheus reads. Every label has few values, whatever callers send."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.responses import Response

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
