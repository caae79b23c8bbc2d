"""How fast it is, for people to read: nothing about speed is asserted (run with -s)."""

from __future__ import annotations

import asyncio
import time
import urllib.parse

import aiohttp

CALLERS, EACH = 16, 60


async def pay(session: aiohttp.ClientSession, url: str, token: int, latencies: list[float]) -> None:
    form = {"amount": "1000", "currency": "usd", "payment_method": f"pm_pd_{token}", "confirm": "true"}
    headers = {
        "Authorization": "Bearer sk_test_drill",
        "Idempotency-Key": f"speed-{token}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    before = time.perf_counter()
    async with session.post(
        f"{url}/v1/payment_intents", data=urllib.parse.urlencode(form), headers=headers
    ) as answer:
        assert answer.status == 200 and (await answer.json())["status"] == "succeeded"
    latencies.append(time.perf_counter() - before)


async def crowd(url: str) -> list[float]:
    latencies: list[float] = []

    async def caller(number: int) -> None:
        for n in range(EACH):
            await pay(session, url, number * 1000 + n, latencies)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return latencies


def test_sixteen_callers_at_once_are_all_served(simulator, run_simulator):
    with run_simulator(simulator):
        before = time.perf_counter()
        latencies = sorted(asyncio.run(crowd(simulator.url)))
        seconds = time.perf_counter() - before
        captured = [row for row in simulator.read().effects if row.kind == "capture"]
    assert len(latencies) == len(captured) == CALLERS * EACH
    p50, p99 = (1000 * latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    print(f"\n{len(latencies) / seconds:.0f} payments/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
