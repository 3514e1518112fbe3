"""Convolutions with weights that stay: brought into a kernel's order once, used on many images.

A kernel reads weights in an order of its own, or transformed. `faltung.conv` and
`faltung.conv_transpose` pay for that at each call and choose their algorithm accordingly; here it
is done when an algorithm is first taken.
"""

from faltung.prepared.conv import PreparedConv as PreparedConv
from faltung.prepared.conv import prepare as prepare
from faltung.prepared.conv_transpose import PreparedConvTranspose as PreparedConvTranspose
from faltung.prepared.conv_transpose import prepare_transpose as prepare_transpose
