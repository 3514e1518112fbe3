from __future__ import annotations

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.imaging import find
from faltung.imaging.hiding import hide

TEMPLATE = np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)
GROUND = np.random.default_rng(1).integers(90, 140, (200, 220, 3)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_hidden_is_found(seed: int) -> None:
    hidden = hide(TEMPLATE, GROUND, seed=seed)
    found = find(TEMPLATE, hidden.scene).matches
    assert len(found) == len(hidden.places) == 5
    for y, x in hidden.places:
        assert min(max(abs(m.top - y), abs(m.left - x)) for m in found) <= 1


def test_copies_and_decoys_lie_where_they_are_said_to() -> None:
    hidden = hide(TEMPLATE, GROUND, noise=0)
    assert hidden.places[0][0] == -8
    assert hidden.places[1][1] == -10
    y, x = hidden.places[2]
    expected = np.rint(0.6 * TEMPLATE + 20)
    assert (hidden.scene[y : y + 24, x : x + 30] == expected).all()
    y, x = hidden.decoys[0]
    decoy = hidden.scene[y : y + 24, x : x + 30]
    assert (decoy != expected).any()
    assert np.sort(decoy, axis=None).tolist() == np.sort(expected, axis=None).tolist()
    boxes = [*hidden.places, *hidden.decoys]
    for i, (y, x) in enumerate(boxes):
        assert all(abs(y - v) > 24 or abs(x - u) > 30 for v, u in boxes[:i])
    assert (hide(TEMPLATE, GROUND, noise=0).scene == hidden.scene).all()


@pytest.mark.parametrize("ground", [GROUND[:60, :70], GROUND[:10]])
def test_too_many_for_a_scene(ground: np.ndarray) -> None:
    with pytest.raises(GeometryError, match=r"there is no room for so many, got wanted=9, room="):
        hide(TEMPLATE, ground)
