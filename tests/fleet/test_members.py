"""Membership: who says so is there, until it is silent for too long or gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhearth.fleet.members import LEASE, Members
from openhearth.fleet.messages import GatewayBeat


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(
        st.tuples(st.sampled_from(["beat", "left", "wait", "expire"]), st.sampled_from("abc")),
        max_size=40,
    )
)
def test_it_is_there_from_its_first_beat_to_its_end_or_a_lease_after_the_last(
    events: list[tuple[str, str]],
) -> None:
    clock = Clock()
    members: Members[GatewayBeat] = Members(clock)
    last: dict[str, float] = {}  # when each that is there was heard of
    for event, who in events:
        if event == "beat":
            assert members.heard(GatewayBeat(who)) is (who not in last)
            last[who] = clock.now
        elif event == "left":
            assert members.left(who) is (last.pop(who, None) is not None)
        elif event == "wait":
            clock.now += LEASE / 2 + 0.1
        else:
            silent = {one for one, heard in last.items() if clock.now - heard > LEASE}
            assert set(members.expire()) == silent
            last = {one: heard for one, heard in last.items() if one not in silent}
        assert {beat.id for beat in members.all()} == set(last)
