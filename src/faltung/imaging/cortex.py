"""The visual cortex beside a network: a cell that answers to a moving grating, and four stages.

A simple cell answers to the phase of a grating, a complex cell, which pools a pair of them, does
not: what a convolution followed by a non-linearity and pooling does as well. Sources: D. H. Hubel
and T. N. Wiesel, *Receptive fields, binocular interaction and functional architecture in the cat's
visual cortex* (1962); K. Fukushima, *Neocognitron* (1980); the even and odd pair as in
`faltung.imaging.gabor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin
from typing import Any, Final

import numpy as np

from faltung.errors import GeometryError, message
from faltung.imaging.gabor import gabor_pair, gains
from faltung.report import AbstractReport, Table

STAGES: Final = (
    ("V1", "edges and bars: simple cells, then complex cells", "conv, non-linearity, pooling"),
    ("V2", "corners, textures, borders", "conv, non-linearity, pooling"),
    ("V4", "parts of objects, curved shapes", "conv, non-linearity, pooling"),
    ("IT", "whole objects, wherever they lie", "dense"),
)
"""Area of the ventral stream, what its cells answer to, and the layers that stand for it."""


@dataclass(frozen=True)
class CortexReport(AbstractReport):
    """What one simple and one complex cell answer while a grating moves by a whole wave.

    Parameters
    ----------
    wavelength, theta
        Of the grating, in pixels and degrees.
    cell_wavelength, cell_theta
        Of the cells' Gabor filters.
    phases
        Of the grating, in degrees.
    simple, complex_cell
        The answers, one for each phase.
    bounds
        Between these two the complex cell's answer lies, whatever the phase.
    """

    wavelength: float
    theta: float
    cell_wavelength: float
    cell_theta: float
    phases: tuple[float, ...]
    simple: tuple[float, ...]
    complex_cell: tuple[float, ...]
    bounds: tuple[float, float]

    @property
    def swing(self) -> float:
        """How far the complex cell's answer moves, as a share of its greatest one."""
        most = max(self.complex_cell)
        return (most - min(self.complex_cell)) / most if most else 0.0

    def blocks(self) -> list[Table | str]:
        """Return the answers by phase, what they say, and the four stages."""
        rows = [
            (f"{phase:g}°", f"{a:+.4f}", f"{b:.4f}")
            for phase, a, b in zip(self.phases, self.simple, self.complex_cell, strict=True)
        ]
        cells = f"cells of {self.cell_wavelength:g} pixels at {self.cell_theta:g}°"
        title = f"a grating of {self.wavelength:g} pixels at {self.theta:g}°, {cells}"
        low, high = self.bounds
        found = (
            f"The simple cell's answer swings from {min(self.simple):+.3f} to "
            f"{max(self.simple):+.3f} as the grating moves. The complex cell's, √(even² + odd²), "
            f"stays between {low:.6f} and {high:.6f} whatever the phase: it moves by "
            f"{self.swing:.1e} of itself."
        )
        stages = Table(
            ("area", "its cells answer to", "in a network"), STAGES, title="", left=(0, 1, 2)
        )
        kinship = (
            "An analogy, not an identity: the cortex has feedback, learns otherwise, and does not "
            "share weights between places."
        )
        return [Table(("phase", "simple", "complex"), rows, title=title), found, stages, kinship]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "wavelength": self.wavelength,
            "theta": self.theta,
            "cell_wavelength": self.cell_wavelength,
            "cell_theta": self.cell_theta,
            "phases": list(self.phases),
            "simple": list(self.simple),
            "complex": list(self.complex_cell),
            "bounds": list(self.bounds),
            "swing": self.swing,
            "stages": [list(stage) for stage in STAGES],
        }


def cortex(
    wavelength: float = 8.0,
    theta: float = 0.0,
    *,
    cell_wavelength: float | None = None,
    cell_theta: float | None = None,
    steps: int = 8,
) -> CortexReport:
    """Move a grating over a simple and a complex cell.

    Parameters
    ----------
    wavelength
        Of the grating in pixels, at least 2.
    theta
        The direction across its stripes in degrees, counterclockwise.
    cell_wavelength, cell_theta
        Of the cells; the grating's own by default.
    steps
        Phases over one whole wave, 1 or more.

    Returns
    -------
    CortexReport
        The answers, and the bound that holds for every phase.

    Raises
    ------
    GeometryError
        kernel L3: a wavelength below 2. cortex V1: no steps.

    Examples
    --------
    >>> report = cortex(8, 30)
    >>> [round(answer, 12) for answer in report.complex_cell] == [1.0] * 8
    True
    """
    if steps < 1:
        rule = "the grating must be shown at least once"
        raise GeometryError(message("cortex", rule, {"steps": steps}, "Use 8", "cortex V1"))
    if not wavelength >= 2:
        rule, got = "the wavelength must be at least 2 pixels", {"wavelength": wavelength}
        raise GeometryError(message("cortex", rule, got, "Use 8", "kernel L3"))
    own_wavelength = wavelength if cell_wavelength is None else cell_wavelength
    own_theta = theta if cell_theta is None else cell_theta
    pair = gabor_pair(own_wavelength, own_theta)
    radius = len(pair.even) // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    wave = 2 * pi / wavelength * (x * cos(radians(theta)) - y * sin(radians(theta)))
    phases = [360 * step / steps for step in range(steps)]
    gratings = [np.cos(wave + radians(phase)) for phase in phases]
    even = [float((pair.even * grating).sum()) for grating in gratings]
    odd = [float((pair.odd * grating).sum()) for grating in gratings]
    low, high = sorted(gains(pair, wavelength, theta))
    return CortexReport(
        wavelength,
        theta,
        own_wavelength,
        own_theta,
        tuple(phases),
        tuple(even),
        tuple(hypot(a, b) for a, b in zip(even, odd, strict=True)),
        (low, high),
    )
