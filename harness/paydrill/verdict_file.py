"""verdict.json: `Verdict` as JSON and back. Its schema is docs/verdict.schema.json."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import orjson

from paydrill.errors import UsageError
from paydrill.run_folder import RunFolder
from paydrill.verdict import (
    SCHEMA,
    ClassResult,
    FaultResult,
    Finding,
    GuardResult,
    InvariantResult,
    LoadResult,
    Money,
    Reason,
    Recovery,
    SloResult,
    Verdict,
    VerdictWord,
)


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The document, in the order of its keys in docs/verdict.md."""
    return {
        "schema": SCHEMA,
        "verdict": verdict.verdict,
        "exit_code": verdict.exit_code,
        "reasons": [{"code": reason.code, "detail": reason.detail} for reason in verdict.reasons],
        "scenario": verdict.scenario,
        "topology": verdict.topology,
        "backend": verdict.backend,
        "target": verdict.target,
        "mutant": verdict.mutant,
        "seed": verdict.seed,
        "started": verdict.started,
        "duration_s": verdict.duration_s,
        "overhead_s": verdict.overhead_s,
        "invariants": [_invariant(result) for result in verdict.invariants],
        "guards": [_fields(guard) for guard in verdict.guards],
        "slos": [_fields(slo) for slo in verdict.slos],
        "recovery": _recovery(verdict.recovery),
        "faults": [_fields(fault) for fault in verdict.faults],
        "load": _load(verdict.load),
        "versions": dict(verdict.versions),
        "warnings": list(verdict.warnings),
        "run": verdict.run,
    }


def _fields(part: GuardResult | SloResult | FaultResult | LoadResult | ClassResult) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def _load(load: LoadResult) -> dict[str, Any]:
    lists = {"classes": [_fields(one) for one in load.classes], "left_out": list(load.left_out)}
    return {**_fields(load), **lists}


def _invariant(result: InvariantResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "name": result.name,
        "verdict": result.verdict,
        "examined": result.examined,
        "findings": [_finding(finding) for finding in result.findings],
        "detail": result.detail,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "intent": finding.intent,
        "summary": finding.summary,
        "money_at_risk": _money(finding.money_at_risk),
        "events": list(finding.events),
    }


def _money(amounts: Sequence[Money]) -> list[dict[str, Any]]:
    return [{"currency": money.currency, "minor": money.minor} for money in amounts]


def _recovery(recovery: Recovery) -> dict[str, Any]:
    lost = None if recovery.rpo_money is None else _money(recovery.rpo_money)
    return {
        "rto_s": recovery.rto_s,
        "rpo_orders": recovery.rpo_orders,
        "rpo_money": lost,
        "rpo_s": recovery.rpo_s,
        "settle_s": recovery.settle_s,
        "detect_s": recovery.detect_s,
    }


def to_bytes(verdict: Verdict) -> bytes:
    # A lone surrogate cannot be UTF-8; such text can only come from a hostile folder.
    document = _printable(to_json(verdict))
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list) else value


def write_atomic(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never sees half a file. Raises OSError."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_bytes(data)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def read_verdict(run: RunFolder) -> Verdict:
    """The stored verdict. Raises UsageError when there is none, or it is not one of this version."""
    try:
        document = orjson.loads(run.verdict.read_bytes())
        return _from_json(document)
    except OSError as error:
        raise UsageError(
            f"{run.verdict}: no verdict here ({error.strerror}); run `paydrill check`"
        ) from error
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{run.verdict}: not a verdict of {SCHEMA}: {error}; run `paydrill check`"
        ) from error


def _from_json(document: Mapping[str, Any]) -> Verdict:
    if document["schema"] != SCHEMA or document["verdict"] not in get_args(VerdictWord):
        raise ValueError(f"schema {document['schema']}, verdict {document['verdict']}")
    plain = ("verdict", "scenario", "topology", "backend", "target", "mutant", "seed", "started", "run")
    return Verdict(
        **{name: document[name] for name in plain},
        duration_s=float(document["duration_s"]),
        overhead_s=document["overhead_s"],
        reasons=tuple(Reason(**reason) for reason in document["reasons"]),
        invariants=tuple(_read_invariant(row) for row in document["invariants"]),
        guards=tuple(GuardResult(**row) for row in document["guards"]),
        slos=tuple(SloResult(**row) for row in document["slos"]),
        recovery=_read_recovery(document["recovery"]),
        faults=tuple(FaultResult(**row) for row in document["faults"]),
        load=_read_load(document["load"]),
        versions=dict(document["versions"]),
        warnings=tuple(document["warnings"]),
    )


def _read_load(row: Mapping[str, Any]) -> LoadResult:
    """A verdict from before the classes were counted has none."""
    classes = tuple(ClassResult(**one) for one in row.get("classes", ()))
    return LoadResult(**{**row, "classes": classes, "left_out": tuple(row.get("left_out", ()))})


def _read_invariant(row: Mapping[str, Any]) -> InvariantResult:
    findings = tuple(
        Finding(
            intent=finding["intent"],
            summary=finding["summary"],
            money_at_risk=tuple(Money(**money) for money in finding["money_at_risk"]),
            events=tuple(finding["events"]),
        )
        for finding in row["findings"]
    )
    return InvariantResult(row["id"], row["name"], row["verdict"], row["examined"], findings, row["detail"])


def _read_recovery(row: Mapping[str, Any]) -> Recovery:
    lost = row["rpo_money"]
    return Recovery(**{**row, "rpo_money": None if lost is None else tuple(Money(**money) for money in lost)})
