"""Ten orders of events in which payment systems break, each as a drill: at a fixed time, or held.

`scenario` writes the drill; `reproduced` says, from the PSP's journal, the conductor's timeline and the
customers' history alone, in how many of its tries the wanted order stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

TRIES = 4
FIRST_S, FOR_S, BACK_S = 4.0, 1.0, 0.6

Rows = Sequence[Mapping[str, Any]]
Mode = Literal["timed", "held"]


@dataclass(frozen=True)
class Interleaving:
    """`event` at the PSP, then `fault` comes into force, then the PSP answers.

    operation: what was asked for; effect: what it did to money before the fault (None: nothing of it was
    done before); webhook: the target had heard of it by a webhook before.
    """

    name: str
    event: str
    operation: str
    fault: str
    effect: str | None = None
    webhook: bool = False

    @property
    def call_s(self) -> float:
        """How long the target waits for its PSP: longer where the webhook must come before the answer."""
        return 4.0 if self.webhook else 1.0

    @property
    def load(self) -> str:
        """Webhooks queue at the PSP: where one must come in time, there are few others before it."""
        return (
            "rate: 4/s, mix: {checkout: 1}" if self.webhook else "rate: 12/s, mix: {checkout: 1, refund: 1}"
        )

    @property
    def within_s(self) -> float:
        """For how long the event is waited for: a webhook is slow on a busy machine."""
        return 4.4 if self.webhook else 2.4

    @property
    def when(self) -> str:
        narrowed = f", operation: {self.operation}" if self.event == "psp.received" else ""
        told = ", type: charge.succeeded" if self.webhook else ""
        return f"event: {self.event}{narrowed}{told}, hold: true"


LOST = "fault: timeout, edge: payments->psp, direction: downstream"
CUT = "fault: down, edge: payments->psp"
AWAY = "fault: down, edge: orders->payments"
KILL = "fault: kill, node: payments-1"
TEN = (
    Interleaving("charged, payments killed", "psp.captured", "create", KILL, "capture"),
    Interleaving("charge received, payments killed", "psp.received", "create", KILL),
    Interleaving("charged, answer lost", "psp.captured", "create", LOST, "capture"),
    Interleaving("charge received, answer lost", "psp.received", "create", LOST),
    Interleaving("charged, connection cut", "psp.captured", "create", CUT, "capture"),
    Interleaving("refunded, payments killed", "psp.refunded", "refund", KILL, "refund"),
    Interleaving("refund received, payments killed", "psp.received", "refund", KILL),
    Interleaving("refunded, answer lost", "psp.refunded", "refund", LOST, "refund"),
    Interleaving("charged, orders cut off from payments", "psp.captured", "create", AWAY, "capture"),
    Interleaving("told by webhook, payments killed", "webhook.sent", "create", KILL, "capture", webhook=True),
)


def scenario(one: Interleaving, mode: Mode, tries: int = TRIES) -> str:
    """As YAML, for the topology `single`: `tries` times the fault, far enough apart to come back from it."""
    apart_s = one.within_s + FOR_S + BACK_S
    lines = [
        "name: interleaving",
        f'title: {{en: "{one.name}, {mode}"}}',
        "why: The order of events decides whether money is lost.",
        f"timing: {{psp_call_s: {one.call_s:g}}}",
        f"load: {{{one.load}, duration: {FIRST_S + apart_s * tries:g}s}}",
        "timeline:",
    ]
    for number in range(tries):
        from_s = round(FIRST_S + number * apart_s, 3)
        held = f"when: {{{one.when}, after: {from_s:g}s, before: {from_s + one.within_s:g}s}}"
        begins = held if mode == "held" else f"at: {from_s:g}s"
        lines.append(f"  - {{{begins}, for: {FOR_S:g}s, {one.fault}}}")
    lines += ["expect:", "  invariants: all", "  min_ok: 5", "  min_ops_in_fault: 1"]
    return "\n".join(lines) + "\n"


def reproduced(folder: Path, one: Interleaving) -> list[bool]:
    """For each fault of the drill whether the order stands in the logs; False where it never came."""
    timeline = _rows(folder / "timeline.jsonl")
    journal = _rows(folder / "psp" / "journal.jsonl")
    history = _rows(folder / "history-0.jsonl")
    planned = json.loads((folder / "plan.json").read_text())["faults"]
    return [_stands(one, fault["id"], timeline, journal, history) for fault in planned]


def _stands(one: Interleaving, fault: int, timeline: Rows, journal: Rows, history: Rows) -> bool:
    in_force = [row["t"] for row in timeline if row["kind"] == "fault" and row["id"] == fault]
    if not in_force:
        return False
    t = in_force[0]
    effects = {row["req"]: row for row in journal if row["kind"] == "effect" and row.get("item") is None}
    answers = {row["req"]: row for row in journal if row["kind"] == "answer"}
    for row in journal:
        # A caller that was asked longer ago has given up before, whatever became of the fault.
        if (
            row["kind"] != "request"
            or row["action"] != one.operation
            or not t - one.call_s * 1e9 < row["t"] < t
        ):
            continue
        effect, answer = effects.get(row["req"]), answers.get(row["req"])
        if answer is not None and answer["t"] <= t:
            continue
        if _done_as_wanted(one, effect, journal, t) and not _customer_knew(one, row, history, t):
            return True
    return False


def _done_as_wanted(one: Interleaving, effect: Mapping[str, Any] | None, journal: Rows, t: int) -> bool:
    before = effect is not None and effect["t"] < t
    if one.effect is None:
        return not before
    if effect is None or not before or one.effect not in {each["kind"] for each in effect["effects"]}:
        return False
    if not one.webhook:
        return True
    pi = effect["objects"]["intents"][0]["id"]
    return any(
        row["kind"] == "webhook" and row["pi"] == pi and 200 <= row["status"] < 300 and row["t"] < t
        for row in journal
    )


def _customer_knew(one: Interleaving, request: Mapping[str, Any], history: Rows, t: int) -> bool:
    """Whether the customer of a charge had been told that it is paid: then the target had its answer."""
    if one.operation != "create":
        return False
    token = request["token"]
    asked = {row["op"] for row in history if row["kind"] == "invoke" and row["token"] == token}
    return any(
        row["kind"] == "return" and row["op"] in asked and row["said"] == "paid" and row["t"] < t
        for row in history
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """A journal's line begins with its hash."""
    return [json.loads(line[line.index("{") :]) for line in path.read_text().splitlines() if "{" in line]
