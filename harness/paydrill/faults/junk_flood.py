"""junk_flood: requests that make no sense come in beside the customers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from paydrill.faults import Expects, InForce, Scene, Witness
from paydrill.faults.load_fault import LoadFault
from paydrill.faults.strangers import Strangers, Visit, by_status, door_of, sent_by_strangers
from paydrill.target import Target

MOST_PER_S = 100.0
SENDERS = 3
LEAST_SHARE = 0.5
_HOLE = re.compile(r"\{\{.*?\}\}")
_BROKEN = (b'{"items": [', b"\xff\xfe\x00", b"[" * 200, b'{"amount": NaN}', b"")
_NOWHERE = ("/.env", "/wp-login.php", "/v1/../../etc/passwd", "/%00", "/v9/orders/1", "/index.php?id=1")
_NOBODY = ("Bearer", "Bearer customer.cus_1." + "0" * 32, "Basic YWRtaW46YWRtaW4=", "Bearer null")


@dataclass
class Flooding(Strangers):
    rate_per_s: float = 0.0
    began_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        super().__init__()

    def witness(self) -> Witness:
        """Half of what was to come has been answered, by whoever stands there, whatever it said."""
        answers = self.answers()
        planned = self.rate_per_s * (time.monotonic() - self.began_s)
        statuses = by_status(answers)
        told = ", ".join(f"{count} × {status}" for status, count in statuses.items()) or "none"
        accepted = sum(one.accepted for one in answers)
        return Witness(
            "load",
            len(answers) >= max(1.0, LEAST_SHARE * planned),
            f"of {planned:.0f} junk requests planned {self.sent} were sent and {len(answers)} answered: {told}",
            {
                "sent": float(self.sent),
                "answered": float(len(answers)),
                "accepted": float(accepted),
                **{f"status_{status}": float(count) for status, count in statuses.items()},
            },
        )


@dataclass(frozen=True, kw_only=True)
class JunkFlood(LoadFault):
    """Besides the customers, `rate` requests come in that nobody can want: broken JSON, paths that are not
    there, tokens of nobody. At most 100/s over three connections, to the run's own entrance.

    None of them can become an order: what has a right token has no readable body. They are in no history;
    what real users are answered is what counts.
    """

    name: ClassVar[str] = "junk_flood"
    summary: ClassVar[str] = "junk requests beside real users"
    expects: ClassVar[Expects] = "most"
    undo: ClassVar[str] = "the junk stops, and what was under way is cut"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 40.0}

    rate_per_s: float

    def __post_init__(self) -> None:
        if not 0 < self.rate_per_s <= MOST_PER_S:
            raise ValueError(f"rate: junk comes at most {MOST_PER_S:.0f}/s, got {self.rate_per_s:g}/s")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        flooding = Flooding(self.rate_per_s)
        junk = junk_of(scene.stack.setup.target, scene.chance("junk"))
        mark = f"{self.name}/{scene.fault_id}"
        door = door_of(scene.stack)
        with sent_by_strangers(flooding, door, self.rate_per_s, lambda _: next(junk), mark, SENDERS):
            yield flooding


def junk_of(target: Target, chance: Random) -> Iterator[Visit]:
    """Junk without end, the same for the same numbers. No request has both a body and a right to it."""
    requests = [one for one in target.client.requests.values() if one.at == "target"]
    posts = [one for one in requests if one.method != "GET"]
    while True:
        kind = chance.randrange(3)
        if kind == 0 and posts:
            request = chance.choice(posts)
            headers = {"Content-Type": "application/json", "Authorization": chance.choice(_NOBODY)}
            yield Visit("broken JSON", request.method, _plain(request.path), headers, chance.choice(_BROKEN))
        elif kind == 1:
            yield Visit("unknown path", chance.choice(("GET", "POST")), chance.choice(_NOWHERE))
        else:
            request = chance.choice(requests)
            body = None if request.method == "GET" else b"{}"
            headers = {"Content-Type": "application/json", "Authorization": chance.choice(_NOBODY)}
            yield Visit("wrong token", request.method, _plain(request.path), headers, body)


def _plain(path: str) -> str:
    """A request's path about nothing that there is."""
    return _HOLE.sub("0", path)


FAULT = JunkFlood
