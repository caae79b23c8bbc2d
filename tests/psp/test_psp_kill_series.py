"""kill -9 twenty times under load: what was acknowledged is in the ledger, once, and is replayed byte for byte."""

from __future__ import annotations

import asyncio
import random
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest

from paydrill.psp.chain import walk
from paydrill.psp.verify import verify

CLIENTS, KILLS = 24, 20
LEAST_ACKNOWLEDGED, SPREAD = 60, 160
BEHAVIOUR = {
    "decline": 0.05,
    "commit_then_drop": 0.03,
    "commit_then_500": 0.03,
    "drop_before_commit": 0.02,
    "slow_commit": 0.02,
    "slow_commit_s": 0.05,
    "rules": [{"id": "three times", "behaviour": "commit_then_500", "count": 3, "after": 40}],
}
GONE = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)
HEADERS = {"Authorization": "Bearer sk_test_drill", "Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Told:
    status: int
    body: bytes
    replayed: bool


@dataclass
class Crowd:
    """Clients that pay, capture and refund until nobody answers; keeps what each key was told."""

    url: str
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    acknowledged: dict[str, Told] = field(default_factory=dict)

    async def until_killed(self, round_: int, kill, enough: int) -> None:
        """`kill` is called, from within the load, once `enough` more answers came."""
        aim = len(self.acknowledged) + enough
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout, headers=HEADERS) as session:
            clients = [asyncio.create_task(self._client(session, round_, n)) for n in range(CLIENTS)]
            while len(self.acknowledged) < aim:
                assert not all(one.done() for one in clients), "nobody was answered any more"
                await asyncio.sleep(0.001)
            kill()
            await asyncio.gather(*clients)

    async def _client(self, session: aiohttp.ClientSession, round_: int, number: int) -> None:
        turn = 0
        while True:
            turn += 1
            name = f"{round_ * 100 + number}{turn:05}"
            try:
                await self._shop(session, name, turn % 3)
            except GONE:
                if await self._is_gone(session):
                    return

    async def _shop(self, session: aiohttp.ClientSession, name: str, kind: int) -> None:
        form = {"amount": "1000", "currency": "usd", "payment_method": f"pm_pd_{name}", "confirm": "true"}
        if kind == 1:
            form["capture_method"] = "manual"
        paid = await self.post(session, "payment_intents", f"p{name}", form)
        if paid.status != 200 or kind == 0:
            return
        pi = orjson.loads(paid.body)["id"]
        if kind == 1:
            await self.post(
                session, f"payment_intents/{pi}/capture", f"c{name}", {"amount_to_capture": "700"}
            )
        else:
            await self.post(session, "refunds", f"r{name}", {"payment_intent": pi, "amount": "300"})

    async def post(
        self, session: aiohttp.ClientSession, path: str, key: str, form: dict[str, str] | str
    ) -> Told:
        text = form if isinstance(form, str) else urllib.parse.urlencode(form)
        self.asked[key] = path, text
        headers = {"Idempotency-Key": key}
        async with session.post(f"{self.url}/v1/{path}", data=text, headers=headers) as answer:
            told = Told(answer.status, await answer.read(), "Idempotent-Replayed" in answer.headers)
        self.acknowledged[key] = told
        return told

    async def _is_gone(self, session: aiohttp.ClientSession) -> bool:
        """A cut connection may be a behaviour; a refused one is a dead process."""
        try:
            async with session.get(f"{self.url}/healthz"):
                return False
        except GONE:
            return True

    async def ask_again(self, keys: list[str]) -> dict[str, Told]:
        """Each key once more, and those that got lost on the way until they are answered."""
        found: dict[str, Told] = {}

        async def ask(session: aiohttp.ClientSession, mine: list[str]) -> None:
            for key in mine:
                while key not in found:
                    try:
                        found[key] = await self.post(session, self.asked[key][0], key, self.asked[key][1])
                    except GONE:
                        continue

        async with aiohttp.ClientSession(headers=HEADERS) as session:
            await asyncio.gather(*(ask(session, keys[n::CLIENTS]) for n in range(CLIENTS)))
        return found


def executions(simulator) -> dict[str, list[tuple[int, bytes]]]:
    """What the journal kept under each key, as often as it was executed."""
    kept: dict[str, list[tuple[int, bytes]]] = {}
    for each in walk(simulator.journal):
        row = orjson.loads(each.json)
        if row["kind"] == "effect" and row["idem"]:
            answer = row["idem"]["status"], row["idem"]["body"].encode()
            kept.setdefault(row["idem"]["key"], []).append(answer)
    return kept


def hits_of(simulator, rule: str) -> int:
    rows = (orjson.loads(each.json) for each in walk(simulator.journal))
    return sum(row["kind"] == "request" and row["rule"] == rule for row in rows)


def killed_series(simulator, run_simulator, kills: int) -> Counter:
    simulator.behaviour = BEHAVIOUR
    draws = random.Random(kills)
    with run_simulator(simulator):
        crowd = Crowd(simulator.url)
        for round_ in range(kills):
            enough = LEAST_ACKNOWLEDGED + draws.randrange(SPREAD)
            asyncio.run(crowd.until_killed(round_, simulator.kill, enough))
            simulator.start()
        told = dict(crowd.acknowledged)
        kept = executions(simulator)
        for key, answer in told.items():
            assert kept.get(key) == [(answer.status, answer.body)], f"{key} was acknowledged"
        again = asyncio.run(crowd.ask_again(list(told)))
        for key, answer in told.items():
            assert (again[key].status, again[key].body) == (answer.status, answer.body), key
            assert again[key].replayed, key
        lost = [key for key in crowd.asked if key not in told]
        asyncio.run(crowd.ask_again(lost))
        after = executions(simulator)
        assert all(len(answers) == 1 for answers in after.values()), "a key was executed twice"
        assert set(after) == set(crowd.asked)
        found = verify(simulator.journal)
        assert found.ok and not found.double_charges
        assert len(simulator.read().starts) == kills + 1
        assert hits_of(simulator, "three times") == 3, "a rule that counts went on over every restart"
        return Counter(
            acknowledged=len(told), lost_but_done=len([key for key in lost if key in kept]), lost=len(lost)
        )


def test_twenty_kills_under_load_lose_nothing_that_was_acknowledged(simulator, run_simulator):
    found = killed_series(simulator, run_simulator, KILLS)
    print(f"\n{dict(found)}")
    assert found["acknowledged"] >= KILLS * LEAST_ACKNOWLEDGED
    assert 0 < found["lost_but_done"] < found["lost"], "the kills hit nothing that was on its way"


@pytest.mark.exhaustive
def test_a_hundred_kills_under_load(simulator, run_simulator):
    assert killed_series(simulator, run_simulator, 100)["acknowledged"] > 0
