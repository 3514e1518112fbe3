"""Arrays and signals as they are given on a command line: numbers, or a file that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faltung.errors import FaltungError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers, rows split by semicolons, or the name of an NPY file.

    >>> Numbers().convert("1,2; 3,4", None, None).tolist()
    [[1, 2], [3, 4]]
    >>> Numbers().convert("1 0 -1", None, None).tolist()
    [1, 0, -1]
    """

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an array, of one axis if there is one row."""
        if not isinstance(value, str):
            return value
        if Path(value).suffix.lower() == ".npy":
            from faltung.files.array import read_array

            return read_array(value)
        from faltung.imaging.kernel_text import kernel_of

        try:
            return kernel_of(value, axes=2 if ";" in value else 1)
        except FaltungError:
            self.fail(f"{value!r} is not written like '1,2; 3,4' or FILE.npy", param, ctx)


class Position(click.ParamType):  # type: ignore[type-arg]
    """A position: 0,2.

    >>> Position().convert("0,2", None, None), Position().convert("7", None, None)
    ((0, 2), (7,))
    """

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return whole numbers."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not written like 0,2", param, ctx)


def signal_of(given: str, column: str | None, channel: int | None) -> NDArray[Any]:
    """Return a signal: numbers, an NPY or WAV file, or a column of a CSV table.

    Raises
    ------
    FaltungError
        Where the file cannot be read, or has no such column or channel.
    """
    suffix = Path(given).suffix.lower()
    if suffix == ".wav":
        from faltung.files.sound import read_sound

        return _channel(given, read_sound(given).samples, channel)
    if suffix in (".csv", ".tsv", ".txt"):
        from faltung.files.column import read_column

        return read_column(given, column)
    found: NDArray[Any] = Numbers().convert(given, None, None)
    return found


def _channel(path: str, samples: NDArray[Any], channel: int | None) -> NDArray[Any]:
    count = samples.shape[1]
    if (channel is None and count > 1) or not 0 <= (channel or 0) < count:
        raise click.BadParameter(f"{path} has channels 0 to {count - 1}: choose with --channel")
    return samples[:, channel or 0]


def typed(array: NDArray[Any] | tuple[Any, ...]) -> str:
    """Return numbers as they are typed.

    >>> typed(((1, 2), (3, 4))), typed((10, 9))
    ('1,2;3,4', '10,9')
    """
    import numpy as np

    rows = np.asarray(array)
    if rows.ndim == 1:
        return ",".join(str(value) for value in rows.tolist())
    return ";".join(typed(row) for row in rows)
