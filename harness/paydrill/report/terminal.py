"""What stands at the end of `paydrill run`: verdict, money, the worst findings, and where to read on."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from paydrill.report.model import RunReport
from paydrill.report.money import shown_all
from paydrill.report.plain import printable, seconds
from paydrill.report.traffic import traffic_line

STYLES = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow", "not_run": "bold yellow"}
MAX_STORIES = 3
MAX_REASONS = 6


def terminal(report: RunReport, *, colour: bool = False, width: int = 100) -> str:
    """Lines for a terminal; without `colour` (no TTY) plain text and never wrapped."""
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        width=width if colour else 10_000,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in _lines(report):
        console.print(line, soft_wrap=not colour)
    return out.getvalue()


def _lines(report: RunReport) -> list[Text]:
    verdict = report.verdict
    head = Text.assemble(
        (verdict.verdict.upper(), STYLES[verdict.verdict]),
        f"  {_p(verdict.scenario)} on {_p(verdict.topology)} ({_p(verdict.backend)}, seed {verdict.seed}"
        + (f", mutant {_p(verdict.mutant)}" if verdict.mutant else "")
        + ")",
    )
    load = verdict.load
    lines = [
        head,
        Text(
            f"  checkouts: {load.ok} ok, {load.fail} refused, {load.info} unknown, {load.dropped} dropped"
            f" of {load.intents}; {load.during_faults} operations during {len(verdict.faults)} faults"
        ),
        *([Text(f"  traffic: {_p(told, 400)}")] if (told := traffic_line(load)) else []),
        Text(
            f"  recovery: service back {seconds(verdict.recovery.rto_s)}, settled {seconds(verdict.recovery.settle_s)}"
        ),
    ]
    lines += _stories(report)
    lines += _reasons(report)
    lines += [Text(f"  warning: {_p(warning, 200)}", "yellow") for warning in verdict.warnings[:5]]
    return [*lines, Text.assemble("  report: ", (_p(report.path / "report.html", 1000), "underline"))]


def _stories(report: RunReport) -> list[Text]:
    if not report.stories:
        return []
    money = _p(shown_all(report.money), 200)
    lines = [Text(f"  money at risk: {money} in {len(report.stories)} broken orders", "bold red")]
    for story in report.stories[:MAX_STORIES]:
        intent = f" {_p(story.intent)}" if story.intent else ""
        summary = _p(story.headline.finding.summary, 160)
        lines.append(
            Text(f"    {_p(story.headline.invariant)}{intent}: {summary} ({_p(shown_all(story.money), 100)})")
        )
    left_out = len(report.stories) - MAX_STORIES
    return [*lines, *([Text(f"    and {left_out} more")] if left_out > 0 else [])]


def _reasons(report: RunReport) -> list[Text]:
    reasons = report.verdict.reasons
    if not reasons:
        return []
    lines = [Text("  why:")]
    for reason in reasons[:MAX_REASONS]:
        lines.append(Text.assemble("    ", (_p(reason.code, 60), "bold"), f"  {_p(reason.detail, 300)}"))
    left_out = len(reasons) - MAX_REASONS
    return [*lines, *([Text(f"    and {left_out} more")] if left_out > 0 else [])]


def _p(text: object, limit: int = 120) -> str:
    return printable(text, limit)
