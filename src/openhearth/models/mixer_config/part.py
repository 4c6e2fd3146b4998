"""What every sequence mixer says of itself."""

from __future__ import annotations

from openhearth.models.part import Part

Shapes = dict[str, tuple[int, ...]]


class MixerPart(Part):
    """A sequence mixer's settings, and what it keeps of a sequence for the tokens to come."""

    @property
    def is_causal(self) -> bool:
        """Whether a token sees only itself and those before it."""
        return True

    @property
    def numbers_per_token(self) -> int:
        """What it keeps of every token, for ever: keys and values."""
        return 0

    def state_shapes(self, width: int) -> Shapes:
        """What it keeps of a sequence, however long, in a model of this width: arrays of fp32."""
        return {}
