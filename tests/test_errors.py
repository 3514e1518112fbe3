"""Messages are one line, whatever is in the names and values that they show."""

from __future__ import annotations

from faltung.errors import LONGEST, message, plain


def test_what_does_not_print_is_spelled_out() -> None:
    line = message("layer\n1", "its name must be text", {"name": "\x1b[31m\u202ex", "ok": "größe"})
    assert line.isprintable()
    assert line == r"layer\n1: its name must be text, got name=\x1b[31m\u202ex, ok=größe."


def test_of_long_values_the_middle_is_left_out() -> None:
    assert plain("x" * LONGEST) == "x" * LONGEST
    line = plain("a" * 5000 + "z")
    assert line.startswith("aaa")
    assert line.endswith("z")
    assert f"{5001 - LONGEST:,} more characters" in line
