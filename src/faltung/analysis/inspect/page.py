"""An inspection as Markdown and as HTML: a page that stands alone, or a part of a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from faltung import theme
from faltung.analysis.inspect import words
from faltung.analysis.inspect.table import Column, columns
from faltung.report import AbstractReport, Table, escaped
from faltung.theme import DARK, LIGHT

if TYPE_CHECKING:
    from faltung.analysis.inspect.inspection import Inspection

_STYLE: Final = """
.inspection { line-height: 1.5; font-family: system-ui, sans-serif; }
.inspection h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 0.3rem; overflow-wrap: anywhere; }
.inspection p { max-width: 46rem; overflow-wrap: anywhere; }
.inspection .lead { color: var(--muted); margin: 0 0 1.2rem; }
.inspection dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: 1rem 1.5rem; margin: 0 0 1.5rem; }
.inspection dt { color: var(--muted); font-size: 0.85rem; }
.inspection dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.inspection dd small { display: block; color: var(--muted); font-size: 0.8rem;
  overflow-wrap: anywhere; }
.inspection .box { width: fit-content; max-width: 100%; overflow: auto; max-height: 85vh;
  border: 1px solid var(--faint);
  border-radius: 0.4rem; }
.inspection table { border-collapse: separate; border-spacing: 0; margin: 0; font-size: 0.875rem;
  font-variant-numeric: tabular-nums; color: var(--ink); background: var(--paper); }
.inspection th, .inspection td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--faint);
  text-align: right; white-space: nowrap; background: var(--paper); color: var(--ink); }
.inspection .words { text-align: left; }
.inspection thead th { position: sticky; top: 0; z-index: 1; color: var(--muted);
  font-weight: 600; }
.inspection tbody th { font-weight: 400; position: sticky; left: 0; max-width: 14rem;
  overflow: hidden; text-overflow: ellipsis; border-right: 1px solid var(--faint); }
.inspection thead th:first-child { left: 0; z-index: 2; border-right: 1px solid var(--faint); }
.inspection tfoot th:first-child { left: 0; z-index: 2; border-right: 1px solid var(--faint); }
.inspection tfoot th { position: sticky; bottom: 0; border-top: 1px solid var(--muted);
  border-bottom: none; }
.inspection tbody tr:hover td, .inspection tbody tr:hover th {
  background: color-mix(in srgb, var(--input) 9%, var(--paper)); }
.inspection tr.unknown td, .inspection tr.unknown th { color: var(--wrong); }
.inspection caption { text-align: left; padding: 0.5rem 0.7rem; color: var(--muted); }
.inspection .box + p, .inspection .box + .box { margin-top: 1.2rem; }
.inspection td.long { white-space: normal; min-width: 18rem; }
@media (max-width: 40rem) { .inspection tbody th { max-width: 8.5rem; }
  .inspection th, .inspection td { padding: 0.3rem 0.5rem; } }
"""

_PAGE_STYLE: Final = """
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 96rem; color: var(--ink);
  background: var(--paper); }
"""


def markdown(report: Inspection) -> str:
    """Return a report as Markdown, with every column that says something.

    Parameters
    ----------
    report
        What it is of.
    """
    found = columns(report)
    lines = [f"# {_plain(report.name)}", "", _plain(words.header(report)), ""]
    lines += [_line([column.title for column in found])]
    lines += [_line(["---" if column.is_left else "---:" for column in found])]
    lines += [_line(row) for row in zip(*(column.cells for column in found), strict=True)]
    lines += [_line([f"**{each.total}**" if each.total else "" for each in found]), ""]
    for text in (words.totals_line(report), *words.notes(report)):
        lines += [_plain(text), ""]
    return "\n".join(lines)


def markdown_of(title: str, blocks: Sequence[Table | str]) -> str:
    """Return tables and paragraphs as Markdown.

    Parameters
    ----------
    title
        What stands above them.
    blocks
        In reading order.
    """
    lines = [f"# {_plain(title)}", ""]
    for block in blocks:
        lines += [*(_table_lines(block) if isinstance(block, Table) else [_plain(block)]), ""]
    return "\n".join(lines)


def _table_lines(table: Table) -> list[str]:
    left = table.left
    lines = [f"{_plain(table.title)}\n"] if table.title else []
    lines += [_line(table.header)]
    lines += [_line(["---" if i in left else "---:" for i in range(len(table.header))])]
    lines += [_line(row) for row in table.rows]
    return [*lines, *([_line(table.footer)] if table.footer else [])]


def page_of(title: str, blocks: Sequence[Table | str]) -> str:
    """Return tables and paragraphs as one HTML page that needs nothing else.

    Parameters
    ----------
    title
        What stands above them.
    blocks
        In reading order.
    """
    return _whole(title, _blocks(blocks))


def _blocks(blocks: Sequence[Table | str]) -> str:
    return "\n".join(
        f'<div class="box">{_marked(block)}</div>'
        if isinstance(block, Table)
        else "".join(f"<p>{escaped(line)}</p>" for line in block.splitlines())
        for block in blocks
    )


def _marked(table: Table) -> str:
    """A table whose columns of words are set to the left."""
    found = [
        Column(title, tuple(row[i] for row in table.rows), is_left=i in table.left)
        for i, title in enumerate(table.header)
    ]
    head = "".join(_cell("th", each.title, each) for each in found)
    body = "\n".join(_row(found, row, is_known=True) for row in table.rows)
    caption = f"<caption>{escaped(table.title)}</caption>" if table.title else ""
    foot = "".join(_cell("th", c, each) for c, each in zip(table.footer, found, strict=False))
    foot = f"<tfoot><tr>{foot}</tr></tfoot>" if foot else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Text whose signs Markdown would read otherwise."""
    for sign in ("|", "<", "_", "[", "`"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def page(report: Inspection, further: Mapping[str, AbstractReport]) -> str:
    """Return a report as one HTML page that needs nothing else, light or dark as its reader is.

    Parameters
    ----------
    report
        What it is of.
    further
        Reports that stand below it, by their titles.
    """
    more = [f"<h2>{escaped(n)}</h2>\n{_blocks(each.blocks())}" for n, each in further.items()]
    return _whole(report.name, "\n".join([_body(report), *more]))


def _whole(title: str, body: str) -> str:
    main = f'<main class="inspection">\n<h1>{escaped(title)}</h1>\n{body}\n</main>'
    return theme.page(title, _PAGE_STYLE + _STYLE, main)


def fragment(report: Inspection) -> str:
    """Return a report as a part of a page, such as a notebook.

    Parameters
    ----------
    report
        What it is of.
    """
    style = _STYLE.replace(".inspection { ", f".inspection {{ {LIGHT.css()} ", 1)
    dark = f"@media (prefers-color-scheme: dark) {{ .inspection {{ {DARK.css()} }} }}"
    shown = ".inspection { color: var(--ink); background: var(--paper); padding: 0.5rem; }"
    return (
        f"<style>{style}{dark}{shown}</style>"
        f'<div class="inspection"><h1>{escaped(report.name)}</h1>{_body(report)}</div>'
    )


def _body(report: Inspection) -> str:
    told = "".join(f"<p>{escaped(text)}</p>\n" for text in words.notes(report))
    lead = escaped(words.header(report).partition(": ")[2])
    return f'<p class="lead">{lead}</p>\n{_facts(report)}\n{told}{_table(report)}'


def _facts(report: Inspection) -> str:
    """What a reader looks for first."""
    totals, peak = report.totals, report.peak_memory
    least = "≥ " if report.at_least else ""
    low, high = report.examples_wanted
    size = words.size_of(totals.weight_bytes)
    facts = [
        ("parameters", f"{least}{totals.params:,}", f"{size} of weights" if totals.params else ""),
        (
            "MACs",
            f"{least}{words.rounded(totals.cost.macs)}",
            f"{totals.cost.macs:,} multiply-accumulates",
        ),
        (
            "connections",
            f"{least}{words.rounded(totals.cost.connections)}",
            f"{totals.cost.connections_inside:,} off padding",
        ),
        ("activations", f"{least}{words.size_of(totals.activation_bytes)}", "all of them"),
        (
            "peak memory",
            f"{'≥ ' if peak.lacking else ''}{words.size_of(peak.bytes)}",
            f"while {peak.node} runs" if peak.node else "",
        ),
    ]
    if high:
        text = f"{words.rounded(low)} to {words.rounded(high)}"
        facts.append(("examples wanted", text, "5 to 10 a parameter: a rule of thumb"))
    if totals.state:
        facts.insert(1, ("state", f"{least}{totals.state:,}", "kept, not trained"))
    told = "".join(
        f"<div><dt>{name}</dt><dd>{escaped(value)}<small>{escaped(more)}</small></dd></div>"
        for name, value, more in facts
    )
    return f"<dl>{told}</dl>"


def _table(report: Inspection) -> str:
    found = columns(report)
    head = "".join(_cell("th", each.title, each) for each in found)
    foot = "".join(_cell("th", each.total, each) for each in found)
    rows = zip(*(column.cells for column in found), strict=True)
    body = "\n".join(
        _row(found, cells, is_known=not layer.unknown)
        for cells, layer in zip(rows, report.layers, strict=True)
    )
    return (
        f'<div class="box" role="region" aria-label="layers" tabindex="0"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        f"<tfoot><tr>{foot}</tr></tfoot>\n</table></div>"
    )


def _row(found: Sequence[Column], cells: Sequence[str], *, is_known: bool) -> str:
    name = escaped(cells[0])
    first = f'<th scope="row" class="words" title="{name}">{name}</th>'
    rest = "".join(_cell("td", c, each) for c, each in zip(cells[1:], found[1:], strict=True))
    mark = "" if is_known else ' class="unknown"'
    return f"<tr{mark}>{first}{rest}</tr>"


def _cell(tag: str, text: str, column: Column) -> str:
    kinds = ["words"] if column.is_left else []
    kinds += ["long"] if tag == "td" and len(text) > 60 else []
    names = " ".join(kinds)
    mark = f' class="{names}"' if names else ""
    return f"<{tag}{mark}>{escaped(text)}</{tag}>"
