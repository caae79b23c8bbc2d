"""The files that a run folder's reports go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paydrill.report.html import html
from paydrill.report.junit import junit
from paydrill.report.markdown import markdown
from paydrill.report.model import RunReport

FILES: Mapping[str, Callable[[RunReport], str]] = {
    "report.html": html,
    "junit.xml": junit,
    "summary.md": markdown,
}


def render_files(report: RunReport) -> dict[str, str]:
    """File name -> text."""
    return {name: render(report) for name, render in FILES.items()}
