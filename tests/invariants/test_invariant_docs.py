from __future__ import annotations

from pathlib import Path

from paydrill.invariants.docs import invariants_markdown

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_invariants_is_made_from_their_headers():
    stored = (DOCS / "invariants.md").read_text(encoding="utf-8")
    assert stored == invariants_markdown(), "run: python -m paydrill.invariants.docs docs/invariants.md"
