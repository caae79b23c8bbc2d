"""report.html: one file, no script, no network; everything untrusted is cleaned and escaped.

A Content-Security-Policy allows nothing but the page's own style sheet, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paydrill.report import plain
from paydrill.report.model import MAX_STORIES_TOLD, RunReport
from paydrill.report.money import shown_all
from paydrill.report.svg import chart
from paydrill.verdict import Money

HERE = Path(__file__).parent
WORDS = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive", "not_run": "Not run"}


def html(report: RunReport) -> str:
    """The whole page; at most about 300 kB."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    told = report.stories[:MAX_STORIES_TOLD]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            v=report.verdict,
            words=WORDS,
            style=Markup(style),
            style_hash=Markup(_csp_hash(style)),
            svg=Markup(chart(report.series)),
            told=told,
            untold=len(report.stories) - len(told),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {"clean": plain.printable, "seconds": plain.seconds, "money": _money, "ms": _milliseconds}
    )
    return environment


def _money(amounts: Iterable[Money]) -> str:
    return plain.printable(shown_all(amounts), 200)


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def _csp_hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
