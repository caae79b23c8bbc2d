"""The desk under every interleaving that hypothesis finds: calls, a slow disk, holds, freezes, crashes.

Nothing is simulated but the disk: lines become durable when the test says so, and a crash loses
nothing that is in the file (kill -9) or all that was not durable (power cut).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paydrill.psp.admission import Admission
from paydrill.psp.calls import Answer, Call
from paydrill.psp.desk import Desk
from paydrill.psp.holds import AFTER_COMMIT, BEFORE_COMMIT, Holds, Match
from paydrill.psp.journal import Journal
from paydrill.psp.lines import EffectLine, Line, OpenLine, WebhookLine
from paydrill.psp.memory import Memory
from paydrill.psp.profiles import PROFILES
from paydrill.psp.tally import Tally
from paydrill.psp.verify import verify

NAMED = st.sampled_from([f"k{n}" for n in range(6)])
KEYS = st.none() | NAMED
TOKENS = st.sampled_from([f"pm_pd_{n}" for n in range(4)] + ["pm_card_visa", "pm_card_chargeDeclined"])
BEHAVIOURS = st.sampled_from(
    [
        {},
        {"decline": 0.5, "webhook_duplicate": 0.5},
        {"commit_then_drop": 0.5, "drop_before_commit": 0.3, "webhook_drop": 0.5},
        {"commit_then_500": 0.5, "webhook_stale": 0.5, "webhook_replay_old": 0.5},
        {"slow_commit": 0.7, "slow_commit_s": 0.0},
        {"partial_capture": 0.7, "maintenance": 0.2},
        {"rules": [{"id": "a", "behaviour": "decline", "count": 2, "after": 1}]},
        {"rate_limit": 0.3, "rules": [{"id": "b", "behaviour": "maintenance", "count": 1}]},
    ]
)


class SlowDisk(Journal):
    """Nothing is durable until `sync`; knows what every answer may rely on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _broken)
        self.synced_n = 0
        self.synced_bytes = 0
        self.effect_n: dict[int, int] = {}
        self._hanging: list[tuple[int, asyncio.Future[None]]] = []

    def rebuild(self, apply):
        lines = super().rebuild(apply)
        self.synced_n, self.synced_bytes = self.n, os.fstat(self._fd).st_size
        return lines

    def write(self, line: Line) -> int:
        n = super().write(line)
        if isinstance(line, EffectLine):
            self.effect_n[line.req] = n
        return n

    async def durable(self, n: int | None = None) -> None:
        wanted = self.n if n is None else n
        if wanted > self.synced_n:
            future = asyncio.get_running_loop().create_future()
            self._hanging.append((wanted, future))
            await future

    def sync(self) -> None:
        self.synced_n, self.synced_bytes = self.n, os.fstat(self._fd).st_size
        for _, future in self._hanging:
            if not future.done():
                future.set_result(None)
        self._hanging.clear()


def _broken(reason: str) -> None:
    raise AssertionError(reason)


@dataclass(frozen=True)
class Asked:
    path: str
    form: str
    key: str | None
    task: asyncio.Task[Answer]


class Desks(RuleBasedStateMachine):
    profile = "stripe"

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.jsonl"
        self.pictures: dict[int, str] = {0: picture(self.fresh())}
        self.running: list[Asked] = []
        self.first: dict[str, tuple[str, str, Answer]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.intents: list[str] = []
        self.owner = object()
        self.open()

    def fresh(self) -> Memory:
        return Memory(tally=Tally(remembers_orders=PROFILES[self.profile].duplicates_s > 0))

    def open(self) -> None:
        """A process begins on what is in the file."""
        self.memory = self.fresh()
        self.journal = SlowDisk(self.path)
        self.journal.rebuild(self.memory.apply)
        assert picture(self.memory) == self.pictures[self.journal.n]
        admission = Admission(self.memory, PROFILES[self.profile])
        self.desk = Desk(self.memory, self.journal, admission, Holds(), lambda events: (), wall_s=lambda: 1.0)
        remember, write = self.pictures, self.desk.write

        def written(line: Line) -> int:
            n = write(line)
            remember[n] = picture(self.memory)
            return n

        self.desk.write = written
        self.desk.write(OpenLine(1, 1, 1, 1, self.profile, self.memory.tally.behaviours.as_json()))
        self.journal.sync()
        self.run(self._start())

    async def _start(self) -> None:
        self.desk.start()

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    # -- what happens ----------------------------------------------------------------------------

    def ask(self, path: str, form: str, key: str | None) -> None:
        async def begin() -> asyncio.Task[Answer]:
            call = Call("POST", f"/v1/{path}", form, key, 1, gone=lambda: False)
            return asyncio.create_task(self.desk.handle(call))

        self.running.append(Asked(path, form, key, self.run(begin())))
        if key is not None:
            self.asked.append((path, form, key))

    @rule(amount=st.sampled_from([100, 2500]), token=TOKENS, manual=st.booleans(), key=KEYS)
    def pay(self, amount, token, manual, key):
        form = f"amount={amount}&currency=usd&payment_method={token}&confirm=true&metadata[order_id]=o1"
        self.ask("payment_intents", form + ("&capture_method=manual" if manual else ""), key)

    @rule(key=KEYS)
    def create(self, key):
        self.ask("payment_intents", "amount=700&currency=usd", key)

    @precondition(lambda self: self.intents)
    @rule(
        data=st.data(),
        action=st.sampled_from(["confirm", "capture", "cancel", "update", "refund", "part"]),
        key=KEYS,
    )
    def act(self, data, action, key):
        pi = data.draw(st.sampled_from(self.intents))
        match action:
            case "confirm":
                self.ask(f"payment_intents/{pi}/confirm", "payment_method=pm_pd_9", key)
            case "capture" | "cancel":
                self.ask(f"payment_intents/{pi}/{action}", "", key)
            case "update":
                self.ask(f"payment_intents/{pi}", "metadata[note]=x", key)
            case "refund":
                self.ask("refunds", f"payment_intent={pi}", key)
            case _:
                self.ask("refunds", f"payment_intent={pi}&amount=30", key)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def ask_again(self, data):
        """The same key, path and parameters as at some time before."""
        self.ask(*data.draw(st.sampled_from(self.asked)))

    @precondition(lambda self: self.running)
    @rule(turns=st.integers(1, 6))
    def let_run(self, turns):
        async def a_while() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.run(a_while())
        self.take_answers()

    @precondition(lambda self: self.running)
    @rule()
    def sync(self):
        self.journal.sync()
        self.let_run(turns=8)

    @rule(point=st.sampled_from([BEFORE_COMMIT, AFTER_COMMIT]), count=st.integers(1, 2))
    def arm(self, point, count):
        async def armed() -> None:
            self.desk.holds.arm(self.owner, Match(), point, count, 60.0, lambda message: None)

        self.run(armed())

    @precondition(lambda self: self.desk.holds.held)
    @rule(answer=st.sampled_from(["answer", "drop", "500"]))
    def release_all(self, answer):
        for number in [*self.desk.holds._held, *self.desk.holds._armed]:
            self.desk.holds.release(number, answer)
        self.let_run(turns=2)

    @precondition(lambda self: len(self.running) > 1 and not self.memory.ledger.frozen)
    @rule()
    def freeze(self):
        self.desk.freeze()

    @precondition(lambda self: self.memory.ledger.frozen)
    @rule()
    def resume(self):
        self.desk.resume()

    @rule(asked=BEHAVIOURS)
    def behave(self, asked):
        self.desk.behave(asked)

    @precondition(lambda self: self.memory.tellings.tries or self.memory.tellings.copies)
    @rule(data=st.data(), status=st.sampled_from([0, 200, 500]))
    def tell(self, data, status):
        tellings = self.memory.tellings
        places = sorted({*tellings.tries, *tellings.copies})
        place = data.draw(st.sampled_from(places))
        untold = place in tellings.tries
        variant = "genuine" if untold else tellings.copies[place][0]
        if untold and tellings.of(place[0]).dropped:
            variant = "dropped"
        told = self.memory.ledger.events[place[0]]
        line = WebhookLine(
            1, tellings.last_attempt + 1, told.id, told.seq, told.type, told.pi, None, variant, 1, 1,
            status, None, place[1], 5,
        )  # fmt: skip
        self.desk.write(line)

    @precondition(lambda self: self.journal.n > 12)
    @rule(power_cut=st.booleans(), torn=st.booleans())
    def crash(self, power_cut, torn):
        tasks = [*(one.task for one in self.running), *self.desk._resumed]
        for task in tasks:
            task.cancel()
        self.run(asyncio.wait(tasks) if tasks else asyncio.sleep(0))
        lines, keep = self.journal.n, self.path.stat().st_size
        if power_cut:
            lines, keep = self.journal.synced_n, self.journal.synced_bytes
        self.journal.close()
        for n in [n for n in self.pictures if n > lines]:
            del self.pictures[n]
        whole = self.path.read_bytes()[:keep]
        self.path.write_bytes(whole + (b"0123 {torn" if torn else b""))
        self.running.clear()
        self.open()

    # -- what must be true -----------------------------------------------------------------------

    def take_answers(self) -> None:
        for one in [one for one in self.running if one.task.done()]:
            self.running.remove(one)
            answer = one.task.result()
            event(f"{answer.stopped_by or answer.status}{' dropped' if answer.drop else ''}")
            self.check_durable(answer)
            if one.key is not None:
                self.check_key(one, answer)
            if answer.stopped_by is None and answer.status == 200 and one.path == "payment_intents":
                self.intents.append(orjson.loads(answer.body)["id"])
            self.desk.answered(answer, delivered=not answer.drop)

    def check_durable(self, answer: Answer) -> None:
        """Nothing is told that a power cut could take back."""
        relies_on = self.journal.effect_n.get(answer.original or answer.req, 0)
        assert relies_on <= self.journal.synced_n

    def check_key(self, one: Asked, answer: Answer) -> None:
        known = self.first.get(one.key)
        match answer.stopped_by:
            case None if answer.original == answer.req:
                assert known is None or PROFILES[self.profile].keeps is not PROFILES["stripe"].keeps
                self.first[one.key] = one.path, one.form, answer
            case "replay":
                assert known is None or known[:2] == (one.path, one.form)
                if known is not None and self.profile == "stripe":
                    assert (answer.status, answer.body) == (known[2].status, known[2].body)
            case "conflict":
                assert answer.status == 409

    @invariant()
    def acknowledged_payments_are_in_the_ledger(self):
        for pi in getattr(self, "intents", ()):
            assert self.memory.ledger.intents.get(pi) is not None

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        self.desk.resume()
        for _ in range(50):
            if not self.running and not self.desk._resumed:
                break
            self.release_all("answer")
            self.sync()
        assert self.running == [] and not self.desk._resumed, "a call was never answered"
        self.journal.sync()
        self.journal.close()
        assert verify(self.path).problems == ()
        again, n = self.fresh(), 0

        def compared(line: Line) -> None:
            nonlocal n
            again.apply(line)
            n += 1
            assert picture(again) == self.pictures[n], f"rebuilt at line {n}"

        last = Journal(self.path, _broken)
        last.rebuild(compared)
        last.close()
        self.loop.close()
        self.folder.cleanup()


class BraintreeDesks(Desks):
    profile = "braintree"


class SquareDesks(Desks):
    profile = "square"

    @rule(key=NAMED)
    def cancel_by_key(self, key):
        self.first.pop(key, None)
        self.ask("cancel_by_key", f"idempotency_key={key}", None)


def picture(memory: Memory) -> str:
    """All of a memory as a hash."""
    return hashlib.blake2b(repr(_plain(memory, set())).encode(), digest_size=12).hexdigest()


def _plain(value: object, above: set[int]) -> object:
    """Nested tuples in place of objects; an object inside itself is left out."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if id(value) in above:
        return "itself"
    above = above | {id(value)}
    if isinstance(value, Mapping):
        return tuple((repr(key), _plain(item, above)) for key, item in value.items())
    if isinstance(value, set | frozenset):
        return tuple(sorted(map(repr, value)))
    if isinstance(value, list | tuple):
        return tuple(_plain(item, above) for item in value)
    if hasattr(value, "__dict__"):
        return type(value).__name__, _plain(vars(value), above)
    return repr(value)


QUICK = settings(
    max_examples=120, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
Desks.TestCase.settings = QUICK
BraintreeDesks.TestCase.settings = settings(QUICK, max_examples=40)
SquareDesks.TestCase.settings = settings(QUICK, max_examples=40)
TestStripeDesk = Desks.TestCase
TestBraintreeDesk = BraintreeDesks.TestCase
TestSquareDesk = SquareDesks.TestCase


@pytest.mark.exhaustive
class TestStripeDeskAtLength(Desks.TestCase):
    settings = settings(QUICK, max_examples=400, stateful_step_count=60)
