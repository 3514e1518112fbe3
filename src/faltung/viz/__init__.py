"""Data to figures: one module for each kind, and nothing here computes what it shows.

Importing this needs Matplotlib, which the extra ``viz`` brings.
"""

from __future__ import annotations

from faltung.errors import MissingExtraError, message

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as error:
    _cure = "Install it with: pip install 'faltung[viz]'"
    raise MissingExtraError(message("pictures", "Matplotlib is missing", None, _cure)) from error
