"""Figures of the analysis beside those that brute force counts."""

from __future__ import annotations

from faltung.analysis.verification.report import LeftOut as LeftOut
from faltung.analysis.verification.report import Row as Row
from faltung.analysis.verification.report import Verification as Verification
from faltung.analysis.verification.verifying import verify as verify
