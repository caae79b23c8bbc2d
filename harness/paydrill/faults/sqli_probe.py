"""sqli_probe: SQL in the values of requests, in ids and in queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar

from paydrill.faults import Scene
from paydrill.faults.attack_fault import AttackFault
from paydrill.faults.customer_requests import Stranger, Wish
from paydrill.faults.strangers import NextVisit, Visit
from paydrill.target import DECIMAL, Target
from paydrill.topology import Topology

# Nothing here changes or removes a row, whoever believes it: what is true for all reads, what is malformed
# fails, and what sleeps does so for a second on one connection.
CORPUS: tuple[tuple[str, str], ...] = (
    ("true for all", "' OR '1'='1"),
    ("true for all, commented", "' OR 1=1 -- "),
    ("true for all, quoted", '" OR "a"="a'),
    ("true for all, a number", "0 OR 1=1"),
    ("a quote", "x'"),
    ("union", "' UNION SELECT NULL,NULL,NULL -- "),
    ("union of the catalogue", "' UNION SELECT usename::text FROM pg_user -- "),
    ("a cast that fails", "'||CAST((SELECT version()) AS int)||'"),
    ("sleep", "'||(SELECT pg_sleep(1))::text||'"),
    # Whatever index is used for the rest, the rows are looked at: once, since nothing in it is of a row.
    ("sleep, for all", "' OR (SELECT pg_sleep(1)) IS NULL OR '1'='0"),
    ("sleep, stacked", "'; SELECT pg_sleep(1) -- "),
    ("sleep, a number", "1 AND 1=(SELECT 1 FROM pg_sleep(1))"),
)
FIELDS = ("order_ref", "client_ref", "sku", "currency", "promo_code", "note", "email", "token", "key")


@dataclass(frozen=True, kw_only=True)
class SqliProbe(AttackFault):
    """A fixed corpus of SQL in the values of the requests that `attacks.probed` names: order ids in paths,
    queries, fields of the body, the idempotency key. Sent with a right token by somebody without orders.

    No probe can be a proper order: what it wants to buy is sold nowhere. Whoever is answered 2xx reads
    somebody's order (I-35) or has got an order for nothing; what slept shows as `slow`, what failed inside
    as `errors_5xx`. The corpus changes and removes nothing. All of it takes 12 probes for each value of each
    request: 216 on the reference target, 11 s at 20/s.
    """

    name: ClassVar[str] = "sqli_probe"
    summary: ClassVar[str] = "SQL in ids, queries and fields"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 10.0}

    def check(self, target: Target, topology: Topology) -> None:
        if not target.attacks.probed:
            raise ValueError(
                f"the target {target.name} names no request in which SQL is tried (attacks.probed in its target.yaml)"
            )

    def probes(self, scene: Scene) -> NextVisit:
        setup = scene.stack.setup
        made = probes_of(Stranger(setup), setup.target, scene.chance("corpus"))
        return lambda _: next(made)


def probes_of(stranger: Stranger, target: Target, chance: Random) -> Iterator[Visit]:
    """Every request with every text of the corpus in each of its values, over and over, in an order by lot."""
    number = 0
    while True:
        tries = [
            (kind, field, about, text)
            for kind in target.attacks.probed
            for field in values_of_request(target, kind)
            for about, text in CORPUS
        ]
        chance.shuffle(tries)
        for kind, field, about, text in tries:
            number += 1
            key = text if field == "key" else f"sqli-{number}"
            plain = Wish(order_ref=f"no-such-order-{number}")
            wish = plain if field == "key" else replace(plain, **{field: text})  # type: ignore[arg-type]
            yield stranger.visit(f"{about} in {field} of {kind}", kind, wish, key)


def values_of_request(target: Target, kind: str) -> list[str]:
    """Which values of a stranger a request has a place for, by their names in `Wish`."""
    request = target.client.requests[kind]
    written = repr((request.path, request.body, request.headers))
    places = {"sku": "intent.items", "token": "op.token", "key": "op.key"}
    found = [
        name for name in FIELDS if places.get(name, f"intent.{name}") in written or f"op.{name}" in written
    ]
    # Where an amount is written by its currency's decimals, there is none for a text that is no currency.
    return [name for name in found if name != "currency" or f"| {DECIMAL}(" not in written]


FAULT = SqliProbe
