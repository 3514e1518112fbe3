"""Record the cards of the tour for the explorer's view Tour.

    python scripts/make_explorer_tour.py [OUTPUT]

The cards are computed by `faltung.tour`, which takes seconds; a page must open at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faltung import atomic
from faltung.explorer.ask_tour import FILE, record
from faltung.tour import CARDS, page


def main() -> None:
    """Write the recording."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(str(FILE))
    cards = [record(page(card.name)) for card in CARDS]
    text = json.dumps(cards, ensure_ascii=False, indent=1)
    atomic.write_bytes(target, text.encode())
    print(f"{target}: {len(cards)} cards, {len(text):,} characters")


if __name__ == "__main__":
    main()
