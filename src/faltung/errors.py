"""The exceptions that faltung raises, all of them.

Each also inherits the builtin that a caller would catch::

    FaltungError
    ├── GeometryError     (ValueError)       sizes, strides, padding that do not fit together
    ├── DTypeError        (TypeError)        a dtype that an operation does not take
    ├── IntegerRangeError (OverflowError)    a sum of integers that its dtype may not hold
    ├── GraphError        (ValueError)       a graph that is not one: names, wiring, shapes
    ├── ModelFileError    (ValueError)       a model file that cannot be read or understood
    ├── DatasetError      (ValueError)       data files that are malformed, truncated or mismatched
    ├── FileFormatError   (ValueError)       an image, sound or array that a file does not hold
    ├── PictureError      (ValueError)       a picture that cannot be drawn as asked
    ├── CheckpointError   (ValueError)       a checkpoint that cannot be read or does not belong
    ├── TrainingError     (ArithmeticError)  training that cannot go on: a loss that is not finite
    ├── EstimatorError    (ValueError)       what an estimator was given and cannot learn from
    ├── KernelError       (LookupError)      no kernel does what was asked for
    ├── TourError         (LookupError)      a card that the tour does not have
    ├── ExplorerError     (ValueError)       what the explorer does not have, or refuses to do
    ├── ExerciseError     (LookupError)      an exercise that is not there, or not of that kind
    ├── StorageError      (OSError)          a file that cannot be written or read
    └── MissingExtraError (ImportError)      an optional package that is not installed

Every message has the same parts, in the same order: subject, rule, values, cure, constraint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LONGEST: Final = 400
"""How many characters of a name or a value a message shows."""


class FaltungError(Exception):
    """What every error of faltung's own inherits."""


class GeometryError(FaltungError, ValueError):
    """Sizes, strides, dilations, padding or groups that do not fit together."""


class DTypeError(FaltungError, TypeError):
    """A dtype that an operation does not take."""


class IntegerRangeError(FaltungError, OverflowError):
    """A sum of integers that could pass the largest number of its dtype."""


class GraphError(FaltungError, ValueError):
    """A graph whose names, wiring or shapes contradict each other."""


class ModelFileError(FaltungError, ValueError):
    """A model file that cannot be read, or asks for what is not there."""


class DatasetError(FaltungError, ValueError):
    """Data files that are malformed, truncated or do not belong together."""


class FileFormatError(FaltungError, ValueError):
    """A file that is no image, sound or array, or a kind of file that cannot hold one."""


class PictureError(FaltungError, ValueError):
    """A picture that cannot be drawn as asked, or a kind of file that holds none."""


class CheckpointError(FaltungError, ValueError):
    """A checkpoint that cannot be read, or that belongs to another run."""


class TrainingError(FaltungError, ArithmeticError):
    """Training that cannot go on, such as a loss that is not finite."""


class EstimatorError(FaltungError, ValueError):
    """Parameters, samples, targets or weights that an estimator cannot learn from."""


class KernelError(FaltungError, LookupError):
    """No kernel does what was asked for."""


class TourError(FaltungError, LookupError):
    """A card that the tour does not have."""


class ExplorerError(FaltungError, ValueError):
    """A view, a component or a question that the explorer does not have, or refuses."""


class ExerciseError(FaltungError, LookupError):
    """An exercise that is not there, or has no code to check."""


class StorageError(FaltungError, OSError):
    """A file that cannot be written or read."""


class MissingExtraError(FaltungError, ImportError):
    """An optional package that is not installed."""


def message(
    subject: str,
    rule: str,
    values: Mapping[str, object] | None = None,
    cure: str = "",
    constraint: str = "",
) -> str:
    """One line: ``<subject>: <rule>, got <name>=<value>. <cure>. [<constraint>]``.

    Parameters
    ----------
    subject : str
        What the error is about: an operator, a layer, a file.
    rule : str
        What has to hold and does not.
    values : mapping of str to object, optional
        The values at fault by name.
    cure : str
        What to do, if one thing to do is known.
    constraint : str
        The id of the numbered constraint, if there is one.

    Returns
    -------
    str

    Examples
    --------
    >>> message("conv", "stride must be at least 1", {"stride": 0}, "Use stride=1", "conv C3")
    'conv: stride must be at least 1, got stride=0. Use stride=1. [conv C3]'
    """
    got = ", ".join(f"{name}={plain(value)}" for name, value in (values or {}).items())
    parts = [f"{plain(subject)}: {rule}" + (f", got {got}." if got else ".")]
    if cure:
        parts.append(f"{cure}.")
    if constraint:
        parts.append(f"[{constraint}]")
    return " ".join(parts)


def plain(value: object) -> str:
    r"""Return a name or a value as part of one line: signs that do not print are spelled out.

    Of more than `LONGEST` characters the middle is left out.

    Parameters
    ----------
    value : object
        Whatever a message shows.

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain("a\nb\x1b[31m"))
    a\nb\x1b[31m
    """
    text = str(value)
    if len(text) > LONGEST:
        half = LONGEST // 2
        text = f"{text[:half]}... {len(text) - 2 * half:,} more characters ...{text[-half:]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
