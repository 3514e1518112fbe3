"""Record what the explorer's view Model shows before anybody asks: a network inspected and audited.

    python scripts/make_explorer_model.py [OUTPUT]

The audit takes a second; a page must open at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faltung import atomic
from faltung.explorer.ask_model import FILE, record


def main() -> None:
    """Write the recording."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(str(FILE))
    text = json.dumps(record(), ensure_ascii=False, separators=(",", ":"))
    atomic.write_bytes(target, text.encode())
    print(f"{target}: {len(text):,} characters")


if __name__ == "__main__":
    main()
