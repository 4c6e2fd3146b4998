"""Fair shares between tenants: the virtual token counter (VTC, Sheng et al. 2024, OSDI).

Every tenant has a counter of the service it received, and the one with the least is served next.
Who comes back after a pause is lifted to the least of those who stayed, so that nobody saves up.
"""

from __future__ import annotations

INPUT, OUTPUT = 1, 2  # what a token of a prompt counts, and one of an answer, as in the paper


class FairShares:
    """The counters of tenants; a tenant is there while it has requests waiting or running."""

    def __init__(self) -> None:
        self._served: dict[str, float] = {}
        self._requests: dict[str, int] = {}
        self._floor = 0.0

    def arrive(self, tenant: str) -> None:
        """A request of this tenant has come."""
        if tenant not in self._requests:
            self._served[tenant] = max(self._served.get(tenant, 0.0), self._least())
        self._requests[tenant] = self._requests.get(tenant, 0) + 1

    def charge(self, tenant: str, tokens: float) -> None:
        """It received service, for one of its requests that are there."""
        self._served[tenant] += tokens

    def leave(self, tenant: str) -> None:
        """A request has ended."""
        self._requests[tenant] -= 1
        if self._requests[tenant] == 0:
            del self._requests[tenant]
            self._floor = (
                max(self._least(), self._floor) if self._requests else self._served[tenant]
            )
            # Those below the floor would be lifted to it anyway.
            kept = {t: s for t, s in self._served.items() if t in self._requests or s > self._floor}
            self._served = kept

    def served(self, tenant: str) -> float:
        """The counter of a tenant that is there."""
        return self._served[tenant]

    def _least(self) -> float:
        return min((self._served[tenant] for tenant in self._requests), default=self._floor)
