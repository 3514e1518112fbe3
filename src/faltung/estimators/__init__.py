"""Networks as scikit-learn's estimators: `ConvClassifier` and `ConvRegressor`.

Importing this needs scikit-learn, which the extra ``sklearn`` brings.
"""

from __future__ import annotations

from faltung.errors import MissingExtraError, message

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    _cure = "Install it with: pip install 'faltung[sklearn]'"
    raise MissingExtraError(
        message("estimators", "scikit-learn is missing", None, _cure)
    ) from error

from faltung.estimators.classifier import ConvClassifier as ConvClassifier
from faltung.estimators.regressor import ConvRegressor as ConvRegressor

__all__ = ["ConvClassifier", "ConvRegressor"]
