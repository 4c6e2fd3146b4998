"""Bench: honest numbers about models and servers.

In: a server's URL, or a model's losses and answers on sources it never saw. Out: latencies,
throughput and quality with intervals, and a report. It owns the definitions in
docs/reference/benchmark-protocol.md. Talking to servers needs the extra `serve`, reports `report`.
"""

from openhearth.bench.improvement import Comparison, bits_per_byte, chrf, overlap
from openhearth.bench.machine import describe_machine

__all__ = ["Comparison", "bits_per_byte", "chrf", "describe_machine", "overlap"]
