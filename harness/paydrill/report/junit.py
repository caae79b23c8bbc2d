"""junit.xml: one test case for every invariant, guard and SLO, for any CI.

Broken is a failure; undecided, or a guard that tripped, is an error; not examined is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from paydrill.report.model import RunReport
from paydrill.report.money import largest, shown_all
from paydrill.report.plain import printable
from paydrill.verdict import InvariantResult, SloResult

MAX_FINDINGS = 20


@dataclass(frozen=True)
class Case:
    """`tag` is failure, error, skipped, or empty for what held."""

    group: str
    name: str
    tag: str = ""
    message: str = ""
    text: str = ""


def junit(report: RunReport) -> str:
    """A `<testsuites>` document with one suite for the run."""
    cases = _cases(report)
    counts = {tag: sum(case.tag == tag for case in cases) for tag in ("failure", "error", "skipped")}
    verdict = report.verdict
    name = f"paydrill {verdict.scenario} on {verdict.topology} ({verdict.backend}, seed {verdict.seed})"
    totals = (
        f'tests="{len(cases)}" failures="{counts["failure"]}" errors="{counts["error"]}" '
        f'skipped="{counts["skipped"]}" time="{verdict.duration_s:.3f}"'
    )
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {totals}>",
        f"<testsuite name={_attribute(name)} {totals} timestamp={_attribute(verdict.started[:19])}>",
        f'<properties><property name="verdict" value={_attribute(verdict.verdict)}/>'
        f'<property name="run" value={_attribute(verdict.run)}/></properties>',
        *(_case(case, verdict.scenario) for case in cases),
        "</testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _cases(report: RunReport) -> list[Case]:
    verdict = report.verdict
    cases = [_invariant(result) for result in verdict.invariants]
    cases += [
        Case("guards", guard.name)
        if guard.verdict == "pass"
        else Case("guards", guard.name, "error", f"{guard.code}: {guard.detail}")
        for guard in verdict.guards
    ]
    cases += [_slo(slo) for slo in verdict.slos]
    # What no case above tells, such as a crash of the judging itself.
    told = {case.message for case in cases}
    crashed = [reason for reason in verdict.reasons if reason.code == "checker_crashed"]
    return cases + [
        Case("judging", "judging", "error", f"{reason.code}: {reason.detail}")
        for reason in crashed
        if not any(reason.detail.endswith(message.partition(": ")[2] or "\0") for message in told)
    ]


def _invariant(result: InvariantResult) -> Case:
    name = f"{result.id} {result.name}"
    if result.verdict == "fail":
        money = largest(money for finding in result.findings for money in finding.money_at_risk)
        message = f"{len(result.findings)} of {result.examined} broken, up to {shown_all(money)} at risk each"
        return Case("invariants", name, "failure", message, _findings(result))
    if result.verdict == "inconclusive":
        return Case("invariants", name, "error", result.detail or "undecided", _findings(result))
    if result.verdict == "not_examined":
        return Case("invariants", name, "skipped", result.detail or "not examined")
    return Case("invariants", name)


def _findings(result: InvariantResult) -> str:
    lines = [
        f"{finding.intent or '-'}: {finding.summary} [{shown_all(finding.money_at_risk)}] "
        + " ".join(finding.events[:20])
        for finding in result.findings[:MAX_FINDINGS]
    ]
    left_out = len(result.findings) - MAX_FINDINGS
    return "\n".join(printable(line, 500) for line in lines) + (
        f"\nand {left_out} more" if left_out > 0 else ""
    )


def _slo(slo: SloResult) -> Case:
    if slo.verdict == "pass":
        return Case("slos", slo.name)
    measured = "not measured" if slo.measured is None else f"measured {slo.measured:g}"
    tag = "failure" if slo.verdict == "fail" else "error"
    return Case("slos", slo.name, tag, f"{measured}, must be {slo.bound}")


def _case(case: Case, scenario: str) -> str:
    head = (
        f"<testcase classname={_attribute(f'paydrill.{scenario}.{case.group}')} name={_attribute(case.name)}"
    )
    if not case.tag:
        return head + "/>"
    inner = escape("\n".join(printable(line, 500) for line in case.text.split("\n")))
    return f"{head}><{case.tag} message={_attribute(case.message)}>{inner}</{case.tag}></testcase>"


def _attribute(text: str) -> str:
    return quoteattr(printable(text))
