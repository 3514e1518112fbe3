"""Reports as plain data: tables and sentences in their order, for a component that shows them."""

from __future__ import annotations

from typing import Any

from faltung.report import AbstractReport, Table


def plain_blocks(report: AbstractReport) -> list[dict[str, Any]]:
    """Return a report's tables and sentences as plain data.

    Examples
    --------
    >>> class Greeting(AbstractReport):
    ...     def blocks(self):
    ...         return ["Hello.", Table(("a", "b"), [("1", "2")])]
    ...     def to_dict(self):
    ...         return {}
    >>> [block["kind"] for block in plain_blocks(Greeting())]
    ['text', 'table']
    """
    return [_table(b) if isinstance(b, Table) else _text(b) for b in report.blocks()]


def _text(text: str) -> dict[str, Any]:
    return {"kind": "text", "text": text}


def _table(table: Table) -> dict[str, Any]:
    return {
        "kind": "table",
        "title": table.title,
        "header": list(table.header),
        "rows": [list(row) for row in table.rows],
        "footer": list(table.footer),
        "left": list(table.left),
    }
