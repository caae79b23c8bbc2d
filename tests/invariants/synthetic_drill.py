"""Writes run folders line by line as a drill would, for evidence that is held, broken or a trap.

Times are seconds after the start of the drill. By default: a fault from 5 to 11, load until 20, final
reads at 40, the snapshot at 41, the PSP's freeze at 42. T_comp is 12 s, T_settle 15 s, so that every
deadline has passed at the end.
"""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import contextmanager
from pathlib import Path

import orjson

from paydrill.evidence.fold import fold
from paydrill.evidence.reader import evidence
from paydrill.evidence.recorder import write_reading
from paydrill.invariants.catalogue import chosen
from paydrill.invariants.runner import judge
from paydrill.psp import lines
from paydrill.psp.chain import GENESIS, link
from paydrill.run_folder import RunFolder

START_NS = 1_000_000_000_000
CLASSES = {
    "order": {"created": "open", "reserved": "open", "payment_pending": "open", "under_review": "review", "paid": "paid", "fulfilled": "paid",
              "payment_failed": "failed", "cancelled": "cancelled", "refunded": "refunded"},
    "payment": {"submitted": "open", "unknown": "open", "captured": "paid", "declined": "failed", "refunded": "refunded"},
}  # fmt: skip
_FIELDS = {
    line.kind: [field.name for field in dataclasses.fields(line)]
    for line in (lines.RequestLine, lines.EffectLine, lines.AnswerLine, lines.FreezeLine)
}


def ns(seconds):
    return START_NS + round(seconds * 1e9)


class SyntheticDrill:
    """Collects lines, writes them, folds them and judges them. Every method returns the id it made."""

    def __init__(self, path: Path):
        self.run = RunFolder(path)
        path.mkdir(parents=True, exist_ok=True)
        self.info = {
            "timing": {"t_comp_s": 12.0, "t_settle_s": 15.0},
            "state_classes": CLASSES,
            "paid_states": ["paid", "fulfilled"],
        }
        self.history, self.timeline, self.journal = [], [], []
        self.snapshots, self.transitions = {}, []
        self.intents = {}
        self._ids = {kind: itertools.count(1) for kind in ("intent", "token", "op", "eff", "req", "pi")}
        self.history_ends = True
        self.journal_change = {}  # kind of line -> fields that are written otherwise

    # -- what clients do ---------------------------------------------------------------------------
    def intent(self, at=1.0, amount=1000, currency="USD"):
        number = next(self._ids["intent"])
        self.intents[number] = {"amount": amount, "currency": currency}
        self._client(at, "intent", intent=number, cls="checkout", customer=f"c{number}", client_ref=f"cart-{number}",
                     items=[{"sku": "tea", "qty": 1}], amount=amount, currency=currency, due=ns(at), retries=1)  # fmt: skip
        return number

    def token(self, intent, at=1.0, try_no=1):
        number = next(self._ids["token"])
        self._client(at, "token", token=number, wire=f"pm_pd_{number}", intent=intent, try_no=try_no)
        return number

    def saved_token(self, intent, card, at=1.0):
        """A payment by a saved card, which the PSP knows by the number `card` alone."""
        number = next(self._ids["token"])
        self._client(at, "token", token=number, wire=f"pm_pd_{card}_saved", intent=intent, try_no=1, saved=card,
                     **self.intents[intent])  # fmt: skip
        return number

    def op(self, kind, intent, at, outcome="ok", status=200, took=0.2, answered=True, **more):
        """One operation. `answered` False leaves it open; `said`, `token`, `key`, `executed` … as in the history."""
        number = next(self._ids["op"])
        money = self.intents.get(intent, {"amount": None, "currency": None})
        route = {"create": "POST /v1/orders", "final": "GET /v1/orders/x"}.get(
            kind, f"POST /v1/orders/{intent}/{kind}"
        )
        invoke = {"op": number, "intent": intent, "op_kind": kind, "caller": more.pop("caller", f"c{intent}"), "route": route,
                  "idem_key": more.pop("key", f"k{number}"), "body": more.pop("body", "b"), "token": more.pop("token", None),
                  "order_ref": more.pop("order_ref", None if kind == "create" else f"ord-{intent}"),
                  "amount": more.pop("amount", money["amount"]), "currency": more.pop("sent_currency", money["currency"]),
                  "due": ns(at), "try_no": 1, "strong": more.pop("strong", kind == "final"),
                  "refund_ref": more.pop("refund_ref", None)}  # fmt: skip
        self._client(at, "invoke", **invoke)
        if answered:
            executed = more.pop("executed", status in (200, 201, 202, 402))
            answer = {"op": number, "outcome": outcome, "status": status, "err": None, "code": None, "executed": executed,
                      "said": None, "said_amount": None, "said_currency": None, "said_version": None,
                      "order_ref": f"ord-{intent}" if outcome == "ok" else None, "resp": "r", "node": "orders-1", **more}  # fmt: skip
            self._client(at + took, "return", **answer)
        return number

    def create(self, intent, at=1.2, **more):
        money = self.intents[intent]
        said = {"said": "created", "said_amount": money["amount"], "said_currency": money["currency"]}
        return self.op("create", intent, at, status=201, **{**said, **more})

    def pay(self, intent, token, at=2.0, **more):
        """Answered 200 paid, unless told otherwise."""
        return self.op(
            "pay",
            intent,
            at,
            token=token,
            **{"said": "paid", "said_amount": self.intents[intent]["amount"], **more},
        )

    def pay_lost(self, intent, token, at=2.0, **more):
        """The answer never came."""
        return self.op(
            "pay", intent, at, outcome="info", status=None, err="timeout", executed=False, token=token, **more
        )

    def pay_declined(self, intent, token, at=2.0, **more):
        return self.op(
            "pay", intent, at, outcome="fail", status=402, code="card_declined", token=token, **more
        )

    def final(self, intent, said="paid", at=40.0, **more):
        money = self.intents[intent]
        return self.op(
            "final",
            intent,
            at,
            **{"said": said, "said_amount": money["amount"], "said_currency": money["currency"], **more},
        )

    def final_gone(self, intent, at=40.0):
        return self.op("final", intent, at, outcome="fail", status=404, executed=False)

    def final_unanswered(self, intent, at=40.0):
        return self.op("final", intent, at, outcome="info", status=503, executed=False)

    # -- what the PSP does -------------------------------------------------------------------------
    def capture(self, token, amount=1000, at=2.1, currency="USD", pi=None, **more):
        pi = pi or f"pi_{next(self._ids['pi'])}"
        self.effect("capture", pi, amount, at, token=token, currency=currency, **more)
        return pi

    def decline(self, token, at=2.1, amount=1000, pi=None):
        pi = pi or f"pi_{next(self._ids['pi'])}"
        self.effect("decline", pi, amount, at, token=token)
        return pi

    def refund(self, pi, amount=1000, at=3.0, **more):
        self.effect("refund", pi, amount, at, **more)

    def effect(
        self, kind, pi, amount, at, token=None, currency="USD", by_psp=False, status="done", wire=None
    ):
        number, req = next(self._ids["eff"]), next(self._ids["req"])
        self._psp(at - 0.01, "request", t_recv=ns(at - 0.02), req=req, op="POST /v1/payment_intents", money=True, idem_key=f"psp-{req}",
                  body="h", token=token, payment_method=wire, pi=pi, action=kind, nth=1, decision=None)  # fmt: skip
        effect = {"eff": number, "pi": pi, "token": token, "payment_method": wire or f"pm_pd_{token}",
                  "kind": kind, "by_psp": by_psp, "status": status, "amount": amount, "currency": currency}  # fmt: skip
        self._psp(
            at,
            "effect",
            req=req,
            effects=[effect],
            objects={"intents": [], "charges": [], "refunds": []},
            idem=None,
            events=[],
        )
        self._psp(at + 0.01, "answer", req=req, status=200, delivered=True, stopped_by=None)
        return number

    # -- what the harness does and reads -----------------------------------------------------------
    def fault(self, at=5.0, until=11.0, number=1):
        self._event(at, "fault", id=number, name="timeout", where="payments-1->psp")
        if until is not None:
            self._event(until, "heal", id=number, name="timeout", clean=True, detail="")

    def load_end(self, at=20.0):
        self._event(at, "load_end", intents=len(self.intents), ops=0, dropped=0)

    def freeze(self, at=42.0):
        """Ends the journal; called last by `standard`."""
        self._psp(at, "freeze")
        self._event(at, "psp_freeze", n=None, head=None, in_flight=0)

    def snapshot(self, number=1, at=41.0, complete=True):
        self.snapshots.setdefault(number, {"rows": [], "at": at, "complete": complete})
        return number

    def fact(self, kind, ref, state, snap=1, intent=None, **more):
        self.snapshot(snap)
        client_ref = f"cart-{intent}" if intent is not None and kind == "order" else None
        parent = f"ord-{intent}" if intent is not None and kind != "order" else None
        money = self.intents.get(intent, {"amount": 1000, "currency": "USD"})
        row = {
            "kind": kind,
            "ref": ref,
            "parent": parent,
            "client_ref": client_ref,
            "state": state,
            "version": 1,
            **money,
        }
        self.snapshots[snap]["rows"].append({**row, **more})

    def order_row(self, intent, state="paid", snap=1, **more):
        self.fact("order", more.pop("ref", f"ord-{intent}"), state, snap, intent, **more)

    def payment_row(self, intent, state="captured", snap=1, **more):
        self.fact("payment", more.pop("ref", f"pay-{intent}"), state, snap, intent, **more)

    def order_history(self, intent, *states):
        """The states that an order went through, from the target's own history."""
        pairs = zip((None, *states), states, strict=False)
        self.transitions += [
            {"kind": "order", "ref": f"ord-{intent}", "seq": seq, "from": old, "to": new}
            for seq, (old, new) in enumerate(pairs, start=1)
        ]

    # -- whole stories -----------------------------------------------------------------------------
    def checkout(self, amount=1000, currency="USD", final="paid", captured=True):
        """A checkout that went well: created, paid, captured, shown as paid. Returns (intent, token, pi)."""
        intent = self.intent(amount=amount, currency=currency)
        token = self.token(intent)
        self.create(intent)
        self.pay(intent, token)
        pi = self.capture(token, amount, currency=currency) if captured else None
        if final:
            self.final(intent, final)
        return intent, token, pi

    def standard_end(self, fault=True):
        """Fault, end of the load and freeze at their usual times."""
        if fault:
            self.fault()
        self.load_end()
        self.freeze()
        return self

    # -- writing and judging -----------------------------------------------------------------------
    def write(self):
        self.run.run.write_bytes(orjson.dumps(self.info))
        digests = self._write_journal()
        self._write_history()
        self._write_timeline(digests)
        if self.transitions:
            write_reading(self.run, "transition", "db-1", 1, self.transitions, ns(41), ns(41) + 5, True)
        for number, snap in self.snapshots.items():
            write_reading(
                self.run,
                "sut_fact",
                "db-1",
                number,
                snap["rows"],
                ns(snap["at"]),
                ns(snap["at"]) + 5,
                snap["complete"],
            )
        return self.run

    def folded(self):
        fold(self.write())
        return self.run

    @contextmanager
    def opened(self):
        with evidence(self.folded()) as connection:
            yield connection

    def judge(self, *ids):
        """The one result for one id, else results by id."""
        with self.opened() as connection:
            results = {result.id: result for result in judge(connection, chosen(ids or None))}
        return results[ids[0]] if len(ids) == 1 else results

    def _client(self, at, kind, **fields):
        self.history.append({"t": ns(at), "kind": kind, **fields})

    def _psp(self, at, kind, **fields):
        """A line of the journal; what this test does not care about is null."""
        self.journal.append({**dict.fromkeys(_FIELDS[kind]), "t": ns(at), "kind": kind, **fields})

    def _event(self, at, kind, **fields):
        self.timeline.append({"t": ns(at), "kind": kind, **fields})

    def _write_history(self):
        lines = sorted(self.history, key=lambda line: line["t"])
        if self.history_ends:
            lines.append({"t": ns(60), "kind": "end", "reason": "done"})
        _write_lines(self.run.path / "history-0.jsonl", lines)

    def _write_timeline(self, digests):
        for line in self.timeline:
            if line["kind"] == "psp_freeze" and line["n"] is None:
                line.update(n=len(digests), head=digests[-1])
        _write_lines(self.run.timeline, sorted(self.timeline, key=lambda line: line["t"]))

    def _write_journal(self):
        self.run.psp_journal.parent.mkdir(parents=True, exist_ok=True)
        digests, written, previous = [], [], GENESIS
        for number, line in enumerate(sorted(self.journal, key=lambda line: line["t"]), start=1):
            text = orjson.dumps({"n": number, **line, **self.journal_change.get(line["kind"], {})})
            previous = link(previous, text)
            digests.append(previous)
            written.append(previous.encode() + b" " + text + b"\n")
        self.run.psp_journal.write_bytes(b"".join(written))
        return digests


def _write_lines(path, lines):
    path.write_bytes(b"".join(orjson.dumps({"seq": seq, **line}) + b"\n" for seq, line in enumerate(lines)))
