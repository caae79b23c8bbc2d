"""Untrusted text made harmless for any output, and numbers as people read them (pure)."""

from __future__ import annotations

import unicodedata

MAX_CHARS = 400
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: object, limit: int = MAX_CHARS) -> str:
    """One line without control, escape, bidi or unassigned characters (each becomes �), cut at `limit`."""
    # Cut first: a text of a gigabyte must not be walked.
    raw = str(text)[: limit + 1].replace("\n", " ").replace("\t", " ").replace("\r", " ")
    clean = "".join("�" if unicodedata.category(char) in _HIDDEN else char for char in raw)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def seconds(value: float | None) -> str:
    """`1.25 s`, or a dash for what was not measured."""
    return "–" if value is None else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
