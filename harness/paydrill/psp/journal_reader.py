"""Reads a journal into rows of the evidence tables `psp_request`, `psp_effect` and `webhook` (pure).

Never fails on what a file says: a torn last line is dropped (its writer was killed in the middle of
it), and after a line that does not follow from the one before `chain_ok` is False and nothing more
is read, since nothing more can be believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from paydrill.psp.chain import GENESIS, ChainBroken, walk

PSP = "psp"
"""The value of column `psp` (which provider it was) where a journal does not say its name."""


@dataclass(frozen=True, slots=True)
class PspRequestRow:
    """One request. `t_edge_ns` (first byte at the proxy) is not known to the simulator.

    `delivered` and `t_ans_ns` are None when the simulator was killed before it answered.
    `decision` is the behaviour drawn, `nth` the execution of this operation on this token.
    """

    req: int
    psp: str
    op: str
    money: bool
    idem_key: str | None
    body: str | None
    token: int | None
    pi: str | None
    t_edge_ns: int | None
    t_recv_ns: int
    t_ans_ns: int | None
    status: int | None
    delivered: bool | None
    stopped_by: str | None
    nth: int | None
    decision: str | None


@dataclass(frozen=True, slots=True)
class PspEffectRow:
    """Money that moved, or a decline; `currency` is ISO 4217 in upper case, `amount` minor units.

    What is `pending` ends with a row of the same kind that is `done` or `failed`. `req` is the request
    that caused it, also where the PSP did it later by itself.
    """

    eff: int
    psp: str
    pi: str
    token: int | None
    kind: str
    by_psp: bool
    status: str
    amount: int
    currency: str
    req: int
    t_ns: int


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One try to tell an event; `status` 0 = no answer came."""

    attempt: int
    event: str
    type: str
    seq: int
    pi: str
    token: int | None
    variant: str
    t_sent_ns: int
    t_ack_ns: int | None
    status: int


@dataclass(frozen=True, slots=True)
class PspStart:
    """The process began; more than one means that it was killed and rebuilt. `name`: which provider."""

    t_ns: int
    wall_ns: int
    seed: int
    profile: str
    behaviour: Mapping[str, object]
    name: str = PSP


@dataclass(frozen=True)
class Journal:
    """`lines` whole lines up to the first broken one; `head` is the hash of the last of them.

    `why` says what is wrong when `chain_ok` is False. `freezes` are (t_ns, n) of freeze lines.
    """

    starts: tuple[PspStart, ...]
    requests: tuple[PspRequestRow, ...]
    effects: tuple[PspEffectRow, ...]
    webhooks: tuple[WebhookRow, ...]
    freezes: tuple[tuple[int, int], ...]
    lines: int
    head: str
    chain_ok: bool
    why: str | None
    torn: bool
    digests: bytes = field(repr=False)
    """32 bytes for each line, so that an anchor taken during the run can be compared."""

    def matches(self, n: int, head: str) -> bool:
        """Whether line `n` has the hash `head`, as told by `PspControl.freeze` or `status`."""
        if n == 0:
            return head == GENESIS
        return 0 < n <= self.lines and self.digests[32 * (n - 1) : 32 * n].hex() == head


@dataclass
class _Reading:
    name: str = PSP
    starts: list[PspStart] = field(default_factory=list)
    requests: dict[int, PspRequestRow] = field(default_factory=dict)
    effects: list[PspEffectRow] = field(default_factory=list)
    webhooks: list[WebhookRow] = field(default_factory=list)
    freezes: list[tuple[int, int]] = field(default_factory=list)
    refunded: dict[str, int] = field(default_factory=dict)
    """Where in `effects` each refund is done, by its id."""

    def take(self, row: Mapping[str, Any]) -> None:
        match row["kind"]:
            case "request":
                self.requests[row["req"]] = _request(row, self.name)
            case "effect":
                self._effect(row)
            case "answer":
                self._answer(row)
            case "webhook":
                self.webhooks.append(_webhook(row))
            case "open":
                self._open(row)
            case "freeze":
                self.freezes.append((row["t"], row["n"]))

    def _open(self, row: Mapping[str, Any]) -> None:
        self.name = row.get("name", PSP)
        self.starts.append(
            PspStart(row["t"], row["wall_ns"], row["seed"], row["profile"], row["behaviour"], self.name)
        )

    def _effect(self, row: Mapping[str, Any]) -> None:
        for effect in row["effects"]:
            self._refund(effect)
            self.effects.append(_effect(row, effect, self.name))
        request, made = self.requests.get(row["req"]), row["objects"]["intents"]
        if request is not None and request.pi is None and made:
            self.requests[row["req"]] = replace(request, pi=made[0]["id"])

    def _refund(self, effect: Mapping[str, Any]) -> None:
        """A refund that was done and failed later has never given anything back: it was only pending."""
        of = effect.get("of")
        if effect["kind"] != "refund" or of is None:
            return
        if effect["status"] == "done":
            self.refunded[of] = len(self.effects)
        elif effect["status"] == "failed" and of in self.refunded:
            place = self.refunded[of]
            self.effects[place] = replace(self.effects[place], status="pending")

    def _answer(self, row: Mapping[str, Any]) -> None:
        request = self.requests.get(row["req"])
        if request is not None:
            self.requests[row["req"]] = replace(
                request,
                t_ans_ns=row["t"],
                status=row["status"],
                delivered=row["delivered"],
            )


def read_journal(path: Path) -> Journal:
    """Everything in a journal. Raises OSError when there is none."""
    reading, digests = _Reading(), bytearray()
    lines, head, end, why = 0, GENESIS, 0, None
    try:
        for each in walk(path):
            reading.take(orjson.loads(each.json))
            lines, head, end = lines + 1, each.digest, each.end
            digests += bytes.fromhex(head)
    except ChainBroken as error:
        why = str(error)
    except (ValueError, KeyError, TypeError) as error:
        why = f"journal line {lines + 1}: not a line of this version ({error!r})"
    return Journal(
        starts=tuple(reading.starts),
        requests=tuple(reading.requests[req] for req in sorted(reading.requests)),
        effects=tuple(reading.effects),
        webhooks=tuple(reading.webhooks),
        freezes=tuple(reading.freezes),
        lines=lines,
        head=head,
        chain_ok=why is None,
        why=why,
        torn=why is None and path.stat().st_size > end,
        digests=bytes(digests),
    )


def _request(row: Mapping[str, Any], psp: str) -> PspRequestRow:
    return PspRequestRow(
        req=row["req"],
        psp=psp,
        op=row["op"],
        money=row["money"],
        idem_key=row["idem_key"],
        body=row["body"],
        token=row["token"],
        pi=row["pi"],
        t_edge_ns=None,
        t_recv_ns=row["t_recv"],
        t_ans_ns=None,
        status=None,
        delivered=None,
        stopped_by=row["stopped_by"],
        nth=row["nth"],
        decision=row["decision"],
    )


def _effect(row: Mapping[str, Any], effect: Mapping[str, Any], psp: str) -> PspEffectRow:
    return PspEffectRow(
        eff=effect["eff"],
        psp=psp,
        pi=effect["pi"],
        token=effect["token"],
        kind=effect["kind"],
        by_psp=effect["by_psp"],
        status=effect["status"],
        amount=effect["amount"],
        currency=effect["currency"],
        req=row["req"],
        t_ns=row["t"],
    )


def _webhook(row: Mapping[str, Any]) -> WebhookRow:
    return WebhookRow(
        attempt=row["attempt"],
        event=row["event"],
        type=row["type"],
        seq=row["seq"],
        pi=row["pi"],
        token=row["token"],
        variant=row["variant"],
        t_sent_ns=row["t_sent"],
        t_ack_ns=row["t_ack"],
        status=row["status"],
    )
