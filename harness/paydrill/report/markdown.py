"""summary.md: a screenful for a pull request or a CI's step summary."""

from __future__ import annotations

import re

from paydrill.report.model import RunReport
from paydrill.report.money import shown_all
from paydrill.report.plain import printable, seconds
from paydrill.report.traffic import traffic_line

MAX_LINES = 8


def markdown(report: RunReport) -> str:
    """GitHub-flavoured Markdown; untrusted text cannot make links, tags or mentions."""
    verdict = report.verdict
    words = [
        f"## paydrill: {verdict.verdict} — {_md(verdict.scenario)} on {_md(verdict.topology)}",
        "",
        f"Target {_md(verdict.target)}, backend {_md(verdict.backend)}, seed {verdict.seed}"
        + (f", seeded bug {_md(verdict.mutant)}" if verdict.mutant else "")
        + f". {verdict.load.ok} of {verdict.load.intents} checkouts ok, "
        f"{verdict.load.during_faults} operations during faults.",
        *([f"Traffic: {_md(told, 400)}."] if (told := traffic_line(verdict.load)) else []),
        "",
    ]
    return "\n".join([*words, *_findings(report), *_reasons(report), *_table(report), *_end(report)])


def _findings(report: RunReport) -> list[str]:
    if not report.stories:
        return []
    money = _md(shown_all(report.money))
    lines = [f"**Money at risk: {money}** in {len(report.stories)} broken orders", ""]
    for story in report.stories[:MAX_LINES]:
        where = f" ({_md(story.intent)})" if story.intent else ""
        summary = _md(story.headline.finding.summary, 200)
        lines.append(f"- {_md(story.headline.invariant)}{where}: {summary} — {_md(shown_all(story.money))}")
    left_out = len(report.stories) - MAX_LINES
    return [*lines, *([f"- and {left_out} more"] if left_out > 0 else []), ""]


def _reasons(report: RunReport) -> list[str]:
    reasons = [reason for reason in report.verdict.reasons if reason.code != "invariant_failed"]
    lines = [f"- `{reason.code}` {_md(reason.detail, 300)}" for reason in reasons[:MAX_LINES]]
    return [*lines, ""] if lines else []


def _table(report: RunReport) -> list[str]:
    rows = [
        f"| {_md(result.id)} {_md(result.name, 80)} | {result.verdict} | {result.examined} | {len(result.findings)} |"
        for result in report.verdict.invariants
    ]
    if not rows:
        return []
    return ["| invariant | verdict | examined | broken |", "|---|---|--:|--:|", *rows, ""]


def _end(report: RunReport) -> list[str]:
    recovery = report.verdict.recovery
    again = report.replay[0] if report.replay else ""
    return [
        f"Back in service after {seconds(recovery.rto_s)}, settled after {seconds(recovery.settle_s)}.",
        "",
        "```",
        printable(again, 1000).replace("`", "'"),
        "```",
        "",
    ]


def _md(text: object, limit: int = 120) -> str:
    """Plain words: what means something in Markdown or HTML is escaped; nothing links or mentions anybody."""
    return re.sub(r"[\\`*\[\]#|<>!~&@]|(?<=\w):(?=//)|(?<=www)\.", _entity, printable(text, limit))


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
