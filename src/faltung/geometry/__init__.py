"""Which inputs each output uses, as integers: no arrays, no files.

>>> window = ConvWindow.of((1, 3, 32, 32), (16, 3, 3, 3), stride=2, padding=1)
>>> window.out_shape
(1, 16, 16, 16)
>>> list(window.axes[0].taps(0))
[-1, 0, 1]
"""

from faltung.geometry.adjoint import data_gradient as data_gradient
from faltung.geometry.adjoint import weight_gradient as weight_gradient
from faltung.geometry.axis import AxisWindow as AxisWindow
from faltung.geometry.interval import Interval as Interval
from faltung.geometry.padding import PaddingLike as PaddingLike
from faltung.geometry.padding import Pads as Pads
from faltung.geometry.padding import explicit_padding as explicit_padding
from faltung.geometry.padding import per_axis as per_axis
from faltung.geometry.padding import transposed_padding as transposed_padding
from faltung.geometry.transposed import AxisTransposed as AxisTransposed
from faltung.geometry.window import ConvWindow as ConvWindow
from faltung.geometry.window import PoolWindow as PoolWindow
from faltung.geometry.window_transposed import TransposedWindow as TransposedWindow

__all__ = [
    "AxisTransposed",
    "AxisWindow",
    "ConvWindow",
    "Interval",
    "PaddingLike",
    "Pads",
    "PoolWindow",
    "TransposedWindow",
    "data_gradient",
    "explicit_padding",
    "per_axis",
    "transposed_padding",
    "weight_gradient",
]
