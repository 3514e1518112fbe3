"""What a report is: figures that print as plain tables and show as HTML in notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows of text under titles; columns of numbers are set to the right.

    Parameters
    ----------
    header
        One title for each column.
    rows
        Cells as text.
    footer
        A last row set apart, such as totals; empty for none.
    title
        A line above the table; empty for none.
    left
        Columns that are words, set to the left; all others are set to the right.
    spare
        Columns that a narrow terminal leaves out, in this order.

    Examples
    --------
    >>> print(Table(("layer", "params"), [("conv1", "80"), ("dense1", "1,290")]))
    layer   params
    --------------
    conv1       80
    dense1   1,290
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    footer: Sequence[str] = ()
    title: str = ""
    left: Sequence[int] = (0,)
    spare: Sequence[int] = ()

    def __str__(self) -> str:
        everything = [self.header, *self.rows, *([self.footer] if self.footer else [])]
        widths = [max(len(row[i]) for row in everything) for i in range(len(self.header))]
        lines = [self._line(row, widths) for row in everything]
        rule = "-" * max(len(line) for line in lines)
        lines.insert(1, rule)
        if self.footer:
            lines.insert(-1, rule)
        return "\n".join([self.title, *lines] if self.title else lines)

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = (
            cell.ljust(width) if i in self.left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    def html(self) -> str:
        """Return the table as an HTML element."""
        caption = f"<caption>{escaped(self.title)}</caption>" if self.title else ""
        head = f"<thead>{_html_row(self.header, 'th')}</thead>"
        body = "".join(_html_row(row, "td") for row in self.rows)
        foot = f"<tfoot>{_html_row(self.footer, 'th')}</tfoot>" if self.footer else ""
        return f"<table>{caption}{head}<tbody>{body}</tbody>{foot}</table>"


class AbstractReport(ABC):
    """Figures with three faces: text, HTML, and plain data for JSON."""

    @abstractmethod
    def blocks(self) -> Sequence[Table | str]:
        """Return tables and paragraphs in reading order."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return every figure as numbers, strings, lists and mappings, fit for JSON."""

    def __str__(self) -> str:
        return "\n\n".join(str(block) for block in self.blocks())

    def _repr_mimebundle_(self, **how: Any) -> dict[str, str]:
        # Not the record's fields, which IPython would show as text.
        return {"text/plain": str(self), "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        return "".join(
            block.html() if isinstance(block, Table) else f"<p>{escaped(block)}</p>"
            for block in self.blocks()
        )


def escaped(text: str) -> str:
    """Return text that HTML shows as it is."""
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, name)
    return text


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escaped(cell)}</{tag}>" for cell in cells) + "</tr>"
