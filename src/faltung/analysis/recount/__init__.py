"""Every figure once more, by brute force on small inputs.

Nothing here asks an operator what it costs or what it uses: elements are counted, values are
changed to see what follows, multiplications are counted in the loops of `faltung.reference`. So
nothing is imported from the rest of `faltung.analysis`.
"""

from __future__ import annotations

from faltung.analysis.recount.layers import LayerRecount as LayerRecount
from faltung.analysis.recount.layers import recount_layer as recount_layer
from faltung.analysis.recount.network import BUDGET as BUDGET
from faltung.analysis.recount.network import Recount as Recount
from faltung.analysis.recount.network import recount as recount
from faltung.analysis.recount.products import count_work as count_work
from faltung.analysis.recount.propagate import Sight as Sight
from faltung.analysis.recount.standins import Unable as Unable
from faltung.analysis.recount.trial import Reach as Reach
