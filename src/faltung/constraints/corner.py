"""The four corners, by name."""

from __future__ import annotations

from enum import StrEnum


class Corner(StrEnum):
    """A layer, by which of the two constraints hold."""

    DENSE = "dense"
    SHARED = "shared"
    LOCAL = "local"
    CONVOLUTION = "convolution"

    @property
    def shares(self) -> bool:
        """Whether the same weights are used at every position: translation invariance."""
        return self in (Corner.SHARED, Corner.CONVOLUTION)

    @property
    def is_local(self) -> bool:
        """Whether only inputs in the window are used: locality."""
        return self in (Corner.LOCAL, Corner.CONVOLUTION)
