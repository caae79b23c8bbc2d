"""A run folder written by hand: one healthy drill, whose parts a test changes before writing it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson

from paydrill.run_folder import RunFolder

SECOND = 1_000_000_000
BASE = 50 * SECOND
T0 = BASE + 3 * SECOND
FAULT_AT, HEAL_AT, LOAD_S = 5.0, 11.0, 20.0
EDGE = "payments-1->psp"


def at(seconds: float) -> int:
    """Monotonic nanoseconds of a time after the load began."""
    return T0 + round(seconds * SECOND)


class DrillFolder:
    """Lists of lines and documents; `write` numbers the lines and hashes the journal."""

    def __init__(self, rate_per_s: int = 20) -> None:
        self.scenario = "name: psp-response-lost\n"
        self.plan = _plan()
        self.meta = _meta()
        self.history = _history(rate_per_s)
        self.timeline = _timeline()
        self.journal = _journal(self.history)
        self.readings = {f"sut_fact-{snap}": _reading(snap) for snap in (1, 2)}
        self.end = True
        self.frozen = True

    def lines(self, kind: str) -> list[dict]:
        return [line for line in self.timeline if line["kind"] == kind]

    def drop_timeline(self, *kinds: str) -> None:
        self.timeline = [line for line in self.timeline if line["kind"] not in kinds]

    def cut_after(self, phase: str) -> None:
        """What a kill -9 of the harness in that phase leaves."""
        index = next(i for i, line in enumerate(self.timeline) if line.get("name") == phase)
        self.timeline = self.timeline[: index + 1]
        until = self.timeline[-1]["t"]
        self.history = [line for line in self.history if line["t"] <= until]
        self.journal = [line for line in self.journal if line["t"] <= until]
        self.end = False

    def write(self, path: Path) -> RunFolder:
        run = RunFolder(path)
        (path / "psp").mkdir(parents=True)
        run.scenario.write_text(self.scenario, encoding="utf-8")
        run.plan.write_bytes(orjson.dumps(self.plan))
        run.run.write_bytes(orjson.dumps(self.meta))
        lines = [*self.history, *([_end_of(self.history)] if self.end else [])]
        (path / "history-0.jsonl").write_bytes(_numbered(lines))
        run.readings.mkdir()
        for name, head in self.readings.items():
            (run.readings / f"{name}.ndjson").write_bytes(orjson.dumps({"reading": head}) + b"\n")
        journal, digest = _chained(self.journal)
        run.psp_journal.write_bytes(journal)
        freeze = self.lines("psp_freeze")
        if self.frozen and freeze:
            freeze[0].update(n=len(self.journal), head=digest)
        run.timeline.write_bytes(_numbered(self.timeline))
        return run


def _plan() -> dict:
    return {
        "schema": "paydrill/plan/1",
        "scenario": "psp-response-lost",
        "topology": "lb-2",
        "target": "reference",
        "seed": 7,
        "load": {"segments": [{"at_s": 0.0, "end_s": LOAD_S, "rate_per_s": 40.0}], "mix": {"checkout": 1.0}},
        "faults": [
            {
                "id": 1,
                "name": "timeout",
                "at_s": FAULT_AT,
                "end_s": HEAL_AT,
                "fields": {"edge": "payments->psp", "direction": "downstream"},
                "places": [EDGE],
            }
        ],
        "psp": {},
        "timing": {"client_s": 6.0},
    }


def _meta() -> dict:
    return {
        "schema": "paydrill/run/1",
        "run_id": "20260101T000000-psp-response-lost-lb-2-s7",
        "scenario": "psp-response-lost",
        "title": {"en": "The PSP charges, and its answer is lost"},
        "why": "The commonest maker of double charges.",
        "topology": "lb-2",
        "backend": "local",
        "target": "reference",
        "mutant": None,
        "seed": 7,
        "started": "2026-01-01T00:00:00.000+00:00",
        "command": ["paydrill", "run", "psp-response-lost"],
        "command_t_ns": BASE - SECOND,
        "timing": {"client_s": 6.0},
        "expect": {
            "invariants": None,
            "slo": {"availability": ">= 0.90"},
            "windows": [],
            "min_ok": 30,
            "min_ops_in_fault": 30,
        },
        "facts_offered": ["sut_fact"],
        "versions": {"paydrill": "0.1.0", "toxiproxy": {"version": "2.12.0", "sha256": "00"}},
    }


def _reading(snap: int) -> dict:
    t_ns = at(LOAD_S + 2.2 + snap / 10)
    return {
        "table": "sut_fact",
        "source": "db-1",
        "snap": snap,
        "t_from_ns": t_ns,
        "t_to_ns": t_ns,
        "complete": True,
    }


def _history(rate_per_s: int) -> list[dict]:
    """Each checkout: created at its time, paid 20 ms later, done; slower while the fault is on."""
    lines: list[dict] = [{"t": BASE, "kind": "start", "pid": 1}]
    for number in range(1, int(LOAD_S * rate_per_s) + 1):
        due_s = (number - 1) / rate_per_s
        wait_s = 1.0 if FAULT_AT <= due_s < HEAL_AT else 0.02
        lines += checkout(number, due_s, wait_s)
    return sorted(lines, key=lambda line: line["t"])


def checkout(
    number: int, due_s: float, wait_s: float, outcome: str = "ok", cls: str = "checkout"
) -> list[dict]:
    paid_s = due_s + 0.01 + wait_s
    op = number * 2
    common = {"intent": number, "caller": f"c{number}"}
    return [
        {"t": at(due_s), "kind": "intent", "intent": number, "cls": cls, "due": at(due_s), "amount": 4998,
         "currency": "USD", "customer": f"c{number}", "client_ref": f"cart-{number}", "items": [], "retries": 1},
        {"t": at(due_s), "kind": "token", "token": number, "wire": f"pm_pd_{number}", "intent": number, "try_no": 1},
        {"t": at(due_s), "kind": "invoke", "op": op, "op_kind": "create", "due": at(due_s), "token": None, **common},
        {"t": at(due_s + 0.01), "kind": "return", "op": op, "outcome": "ok", "status": 201},
        {"t": at(due_s + 0.01), "kind": "invoke", "op": op + 1, "op_kind": "pay", "due": at(due_s + 0.01),
         "token": number, **common},
        {"t": at(paid_s), "kind": "return", "op": op + 1, "outcome": outcome, "status": 200},
        {"t": at(paid_s), "kind": "done", "intent": number, "outcome": outcome, "as_declared": outcome == "ok", "signature": 1},
    ]  # fmt: skip


def _timeline() -> list[dict]:
    witness = {"witness": "path", "witnessed": True, "detail": "silence for 800 ms"}
    return [
        {"t": BASE, "kind": "phase", "name": "starting"},
        {"t": BASE + SECOND, "kind": "phase", "name": "steady"},
        {"t": T0 - SECOND // 4, "kind": "phase", "name": "load", "t0": T0},
        {"t": at(FAULT_AT - 0.1), "kind": "phase", "name": "fault", "id": 1},
        _counters(FAULT_AT - 0.05, "before", 40_000),
        {"t": at(FAULT_AT), "kind": "fault", "id": 1, "name": "timeout", "where": [EDGE], "expects": "some",
         "effect": "money"},
        {"t": at(FAULT_AT + 0.8), "kind": "witness", "id": 1, **witness},
        _counters(HEAL_AT - 0.05, "after", 90_000),
        {"t": at(HEAL_AT), "kind": "heal", "id": 1, "name": "timeout", "clean": True, "detail": ""},
        {"t": at(LOAD_S + 0.1), "kind": "phase", "name": "healing"},
        {"t": at(LOAD_S + 0.2), "kind": "healed", "clean": True, "detail": ""},
        {"t": at(LOAD_S + 0.3), "kind": "phase", "name": "quiescing"},
        {"t": at(LOAD_S + 0.5), "kind": "load_end", "finished": True, "ops": 800, "dropped": 0},
        {"t": at(LOAD_S + 2.0), "kind": "settled", "open_work": 0, "psp_pending": 0, "waited_s": 1.5, "in_time": True},
        {"t": at(LOAD_S + 2.1), "kind": "phase", "name": "collecting"},
        {"t": at(LOAD_S + 3.0), "kind": "psp_freeze", "n": 0, "head": "", "in_flight": 0},
        {"t": at(LOAD_S + 3.1), "kind": "host", "steal_pct": 1.0, "swap_pages": 0, "suspended_s": 0.0, "full_s": 0.0},
        {"t": at(LOAD_S + 3.2), "kind": "phase", "name": "collected"},
        {"t": at(LOAD_S + 3.3), "kind": "phase", "name": "judging"},
    ]  # fmt: skip


def _counters(seconds: float, when: str, moved: int) -> dict:
    return {
        "t": at(seconds),
        "kind": "counters",
        "id": 1,
        "when": when,
        "edge": EDGE,
        "direction": "upstream",
        "received": moved,
        "sent": moved,
    }


def _journal(history: list[dict]) -> list[dict]:
    lines: list[dict] = [
        {"t": BASE, "kind": "open", "wall_ns": 1, "pid": 5, "seed": 7, "profile": "stripe", "behaviour": {}}
    ]
    for line in history:
        if line["kind"] == "invoke" and line["op_kind"] == "pay":
            lines += capture(line["token"], line["t"])
    return sorted(lines, key=lambda line: line["t"])


def capture(token: int, t_ns: int, answered_after_ns: int = 2_000_000) -> list[dict]:
    effect = {"eff": token, "pi": f"pi_{token}", "token": token, "kind": "capture", "by_psp": False,
              "status": "done", "amount": 4998, "currency": "USD", "payment_method": f"pm_pd_{token}"}  # fmt: skip
    done = {"objects": {"intents": [], "charges": [], "refunds": []}, "idem": None, "events": []}
    return [
        request(token, t_ns + 1_000_000, "POST /v1/payment_intents", token=token, pi=None, money=True),
        {"t": t_ns + 1_000_000, "kind": "effect", "req": token, "effects": [effect], **done},
        {"t": t_ns + answered_after_ns, "kind": "answer", "req": token, "status": 200, "delivered": True,
         "stopped_by": None},
    ]  # fmt: skip


def request(req: int, t_ns: int, op: str, *, token: int | None, pi: str | None, money: bool = False) -> dict:
    unused = {
        "stopped_by": None,
        "idem_key": None,
        "body": "0b52",
        "payment_method": None,
        "action": None,
        "nth": None,
        "decision": None,
    }
    line = {"t": t_ns, "t_recv": t_ns, "kind": "request", "req": req, "op": op, "money": money}
    return {**line, "token": token, "pi": pi, **unused}


def _end_of(history: list[dict]) -> dict:
    count = {kind: sum(line["kind"] == kind for line in history) for kind in ("intent", "invoke", "drop")}
    return {
        "t": at(LOAD_S + 2.9),
        "kind": "end",
        "reason": "done",
        "intents": count["intent"],
        "ops": count["invoke"],
        "dropped": count["drop"],
        "lag_p50_ms": 1.0,
        "lag_p99_ms": 9.0,
        "lag_max_ms": 12.0,
    }


def _numbered(lines: list[dict]) -> bytes:
    return b"".join(orjson.dumps({"seq": seq, **line}) + b"\n" for seq, line in enumerate(lines))


def _chained(lines: list[dict]) -> tuple[bytes, str]:
    out, previous = [], "0" * 64
    for number, line in enumerate(lines, start=1):
        body = orjson.dumps({"n": number, **line})
        previous = hashlib.sha256(previous.encode() + body).hexdigest()
        out.append(previous.encode() + b" " + body + b"\n")
    return b"".join(out), previous
