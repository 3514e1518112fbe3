"""R10: the complex cell does not see the phase, to its stated bound; the simple cell does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from faltung.cli.explain import explain
from faltung.errors import GeometryError
from faltung.imaging.cortex import STAGES, cortex


@pytest.mark.parametrize("theta", [0.0, 30.0, 45.0, 77.0, 90.0, 151.0])
@pytest.mark.parametrize("wavelength", [3.0, 5.5, 8.0, 13.0])
def test_at_its_own_grating_the_complex_cell_answers_1_whatever_the_phase(
    wavelength: float, theta: float
) -> None:
    report = cortex(wavelength, theta, steps=64)
    # Each answer is a sum of n² rounded products; Σ|even| + Σ|odd| is of the order of n.
    np.testing.assert_allclose(report.complex_cell, 1, rtol=0, atol=1e-12)
    assert max(report.simple) == pytest.approx(1, abs=1e-12)
    assert min(report.simple) == pytest.approx(-1, abs=1e-2)


@pytest.mark.parametrize(("cell_wavelength", "cell_theta"), [(6.0, 30.0), (8.0, 50.0), (4.0, 90.0)])
def test_elsewhere_it_stays_within_the_stated_bounds(
    cell_wavelength: float, cell_theta: float
) -> None:
    report = cortex(8, 30, cell_wavelength=cell_wavelength, cell_theta=cell_theta, steps=360)
    low, high = report.bounds
    assert low - 1e-12 <= min(report.complex_cell)
    assert max(report.complex_cell) <= high + 1e-12
    # The bounds are attained, so that narrower ones would be wrong.
    assert min(report.complex_cell) == pytest.approx(low, abs=1e-6)
    assert max(report.complex_cell) == pytest.approx(high, abs=1e-6)
    assert high < 1


def test_without_its_partner_the_cell_would_see_the_phase() -> None:
    report = cortex(8, 0, steps=4)
    assert report.swing < 1e-12
    assert np.ptp(np.abs(report.simple)) > 0.9


def test_the_four_stages_are_told() -> None:
    assert [stage[0] for stage in STAGES] == ["V1", "V2", "V4", "IT"]
    text = str(cortex())
    assert "IT" in text
    assert "dense" in text
    assert "An analogy, not an identity" in text


def test_what_is_no_grating() -> None:
    with pytest.raises(GeometryError, match=r"shown at least once.*cortex V1"):
        cortex(steps=0)
    with pytest.raises(GeometryError, match="wavelength must be at least 2 pixels"):
        cortex(1.0)


def test_on_the_command_line() -> None:
    shown = CliRunner().invoke(explain, ["cortex"])
    assert shown.exit_code == 0
    assert "--wavelength 8 --theta 30" in shown.output
    told = CliRunner().invoke(explain, ["cortex", "--theta", "10", "--steps", "5", "--json"])
    assert len(json.loads(told.stdout)["complex"]) == 5
