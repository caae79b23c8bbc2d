"""What clients did and saw: `history-<n>.jsonl`, one write(2) a line (docs/run-folder.md).

An invoke is in the kernel before its request is sent; a line is never changed afterwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from paydrill.load.answers import RawAnswer, Result
from paydrill.load.counters import Lag
from paydrill.load.intents import Intent, token_of, wire_token
from paydrill.load.templates import Op, Rendered
from paydrill.load.traffic import Ended
from paydrill.run_folder import LineLog
from paydrill.target import Outcome

SAVED = "saved"
"""How the PSP simulator is told that a card may be charged again."""


class HistoryClosed(Exception):
    """The history has its last line: nothing may be sent any more."""


class History:
    """The one writer of a history file. None of its methods lets another greenlet run.

    broken: called when a line cannot be written (a full disk): nothing may be sent after that.
    Raises FileExistsError when the file is there already.
    """

    def __init__(
        self, path: Path, edge: str | None = None, broken: Callable[[OSError], None] | None = None
    ) -> None:
        if path.exists():
            raise FileExistsError(f"{path} is there already: a history belongs to one load")
        self._log = LineLog(path)
        self._edge = edge
        self._broken = broken
        self._open: dict[int, None] = {}
        self._next_op = 1
        self.intents = 0
        self.dropped = 0
        self.closed = False

    @property
    def ops(self) -> int:
        return self._next_op - 1

    def start(self, versions: Mapping[str, str]) -> None:
        self._write("start", wall_ns=time.time_ns(), pid=os.getpid(), versions=dict(versions))

    def intent(self, intent: Intent) -> None:
        self.intents += 1
        self._write(
            "intent",
            intent=intent.id,
            cls=intent.cls,
            arrival=intent.arrival,
            checkout=intent.checkout,
            customer=intent.customer,
            client_ref=intent.client_ref,
            items=intent.items,
            amount=intent.amount,
            currency=intent.currency,
            due=intent.due_ns,
            retries=intent.policy.retries,
        )

    def token(self, intent: Intent, try_no: int, how: str | None = None) -> tuple[int, str]:
        """Issue the token of a try; returns its number and how it is written on the wire."""
        token = token_of(intent.id, try_no)
        wire = wire_token(token, how)
        self._write("token", token=token, wire=wire, intent=intent.id, try_no=try_no)
        return token, wire

    def saved_token(self, intent: Intent, try_no: int, saved: int) -> tuple[int, str]:
        """Issue the token of a try with a saved card, whose one wire token several intents share."""
        token = token_of(intent.id, try_no)
        wire = wire_token(saved, SAVED)
        fields = {"intent": intent.id, "try_no": try_no, "saved": saved}
        self._write("token", token=token, wire=wire, amount=intent.amount, currency=intent.currency, **fields)
        return token, wire

    def canary(self, intent: Intent, kind: str, text: str) -> None:
        """A secret that the harness is about to plant: nothing of the target may keep it."""
        self._write("canary", intent=intent.id, canary=kind, text=text)

    def invoke(
        self,
        intent: Intent,
        op_kind: str,
        op: Op,
        request: Rendered,
        token: int | None,
        due_ns: int,
        strong: bool,
    ) -> int:
        """Write down what is about to be sent; returns the op's number."""
        number = self._next_op
        self._next_op += 1
        self._open[number] = None
        self._write(
            "invoke",
            op=number,
            intent=intent.id,
            op_kind=op_kind,
            caller=op.operator.id if op.operator else intent.customer,
            route=request.route,
            idem_key=op.key if request.method != "GET" else None,
            body=request.body_hash,
            token=token,
            order_ref=intent.order_ref,
            amount=op.amount,
            currency=op.currency,
            due=due_ns,
            try_no=op.try_no,
            strong=strong,
            refund_ref=op.refund_ref,
        )
        return number

    def returned(self, number: int, raw: RawAnswer, result: Result, edge: str | None = None) -> None:
        """Write down an answer. `edge` is where it came over if not the entrance. Raises HistoryClosed when the op was closed as stopped before."""
        if self._open.pop(number, 0) == 0:
            raise HistoryClosed
        facts = result.facts
        self._write(
            "return",
            op=number,
            outcome=result.outcome,
            status=result.status,
            err=result.err,
            code=facts.code,
            executed=result.executed,
            said=facts.said,
            said_amount=facts.amount,
            said_currency=facts.currency,
            said_version=facts.version,
            order_ref=facts.order_ref,
            resp=sha256(raw.body).hexdigest()[:16] if raw.status is not None else None,
            node=raw.node,
            edge=edge or self._edge,
            replayed=facts.replayed,
        )

    def drop(self, intent: Intent) -> None:
        self.dropped += 1
        self._write("drop", intent=intent.id, due=intent.due_ns)

    def done(self, intent: Intent, outcome: Outcome) -> None:
        """A second wish has ended; the arrival that it belongs to goes on."""
        self._write("done", intent=intent.id, outcome=outcome)

    def ended(self, intent: Intent, ended: Ended) -> None:
        """An arrival has ended."""
        self._write(
            "done",
            intent=intent.id,
            outcome=ended.outcome,
            as_declared=ended.as_declared,
            signature=ended.signature,
        )

    def close(self, complete: bool, lag: Lag) -> None:
        """Every open op is unknown for ever; then the last line. Idempotent."""
        if self.closed:
            return
        for number in list(self._open):
            stopped = {"err": "stopped", "status": None, "executed": False, "edge": self._edge}
            self._write("return", op=number, outcome="info", **stopped)
        self._open.clear()
        self._write(
            "end",
            reason="done" if complete else "stopped",
            intents=self.intents,
            ops=self.ops,
            dropped=self.dropped,
            lag_p50_ms=lag.p50_ms,
            lag_p99_ms=lag.p99_ms,
            lag_max_ms=lag.max_ms,
        )
        self.closed = True
        self._log.close()

    def _write(self, kind: str, **fields: object) -> None:
        if self.closed:
            raise HistoryClosed
        try:
            self._log.write(kind, **fields)
        except OSError as error:
            if self._broken is not None:
                self._broken(error)
            raise
