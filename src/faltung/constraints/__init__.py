"""From a dense layer to a convolution: two constraints, four layers, and their matrices.

>>> print(square((2, 2), window=(0, 1)))
A layer from 1 × 2 × 2 to 1 × 2 × 2 numbers. Local: offsets 0..1, 0..1 only.
<BLANKLINE>
layer        shared  local  parameters  non-zeros  times fewer parameters
-------------------------------------------------------------------------
dense        no      no             16         16                     1.0
shared       yes     no              9         16                     1.8
local        no      yes             9          9                     1.8
convolution  yes     yes             4          9                     4.0
<BLANKLINE>
dense      shared
a b c d    e f h i
e f g h    d e g h
i j k l    b c e f
m n o p    a b d e
<BLANKLINE>
local      convolution
a b c d    e f h i
· f · h    · e · h
· · k l    · · e f
· · · p    · · · e
"""

from __future__ import annotations

from faltung.constraints.corner import CORNERS as CORNERS
from faltung.constraints.corner import corner_of as corner_of
from faltung.constraints.layers import CornerLayer as CornerLayer
from faltung.constraints.offsets import by_offset as by_offset
from faltung.constraints.offsets import by_position as by_position
from faltung.constraints.offsets import inside as inside
from faltung.constraints.projection import Explained as Explained
from faltung.constraints.projection import Share as Share
from faltung.constraints.projection import chance as chance
from faltung.constraints.projection import explained as explained
from faltung.constraints.projection import mean_weights as mean_weights
from faltung.constraints.projection import project as project
from faltung.constraints.squares import Square as Square
from faltung.constraints.squares import square as square
from faltung.constraints.toeplitz import ConvMatrix as ConvMatrix
from faltung.constraints.toeplitz import conv_matrix as conv_matrix
