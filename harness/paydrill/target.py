"""What a target folder declares about itself (frozen, pure); `target_file.py` reads it.

The harness knows a target only through these types: how its nodes are run, what its public API
looks like to a client, and how suspect facts are read from it. No target brings Python into the
harness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Runtime = Literal["python", "nginx", "postgres", "psp", "attached"]
Outcome = Literal["ok", "fail", "info"]
Party = Literal["target", "psp"]
DECIMAL = "decimal"
"""How an answer's amount is written where it is not in minor units: `amount: total | decimal`."""


@dataclass(frozen=True)
class Timing:
    """The target's declared times, seconds; the oracle's deadlines are among them (docs/targets.md)."""

    psp_call_s: float = 1.0
    psp_retries: int = 2
    orders_payments_s: float = 2.5
    lb_read_s: float = 5.0
    client_s: float = 6.0
    reconcile_period_s: float = 1.0
    t_settle_s: float = 15.0
    t_comp_s: float = 12.0
    t_hold_s: float = 10.0
    t_res_s: float = 5.0
    t_late_s: float = 3.0
    delta_s: float = 0.5
    t_detect_s: float = 15.0
    k: int = 4
    g: float = 0.8


@dataclass(frozen=True)
class Health:
    """How to see that a node is ready: a GET path, or a PostgreSQL startup packet."""

    http: str | None = None
    postgres: bool = False


@dataclass(frozen=True)
class Service:
    """How every node of one service is run. Texts are Jinja2 templates (docs/targets.md).

    command: argv after the runtime's own program, e.g. `["-m", "services.orders"]` for python
    config:  template file (relative to the topology, then the target) -> name in the node's folder
    schema:  postgres only: folder of numbered .sql files put into the template cluster
    metrics: a GET path at which each node tells its metrics in Prometheus' text form
    """

    name: str
    runtime: Runtime
    port: int
    health: Health
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    schema: str | None = None
    database: str = "app"
    settings: Mapping[str, str] = field(default_factory=dict)
    metrics: str | None = None


@dataclass(frozen=True)
class OutcomeRule:
    """One row of the definite-or-not table: the first row that fits an answer decides.

    status: exact (402), a class ("5xx"), or an error of the transport ("timeout", "refused", "reset");
    code:   the body's error code, None for any. executed: the answer settles earlier infos of its key.
    """

    status: str
    outcome: Outcome
    code: str | None = None
    kind: str | None = None
    executed: bool = False


@dataclass(frozen=True)
class Request:
    """One client operation: templates over the intent's fields, and where the answer's facts stand.

    answer: fact name (order_ref, state, amount, currency, version, …) -> dotted path in the JSON body;
            that of an amount may end with `| decimal`
    at:     who is asked: the target, or the PSP over the topology's edge `client->psp`
    """

    kind: str
    method: str
    path: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, str] = field(default_factory=dict)
    strong: bool = True
    at: Party = "target"


@dataclass(frozen=True)
class Client:
    """The public API as a customer sees it."""

    requests: Mapping[str, Request]
    outcomes: tuple[OutcomeRule, ...]
    paid_states: tuple[str, ...] = ()
    retry_codes: tuple[str, ...] = ()
    failed_states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Promotion:
    """`percent` off each line, or off the lines of `skus` where it names some."""

    code: str
    percent: int
    skus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pricing:
    """How the target says that it prices: what the harness reckons every total from.

    tax_bp: tax contained in a price, hundredths of a percent, by currency; none where it is not named
    """

    promotions: tuple[Promotion, ...] = ()
    tax_bp: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FactSource:
    """One read of the suspect: rows for one evidence table, as NDJSON on stdout of a command.

    Either `sql` (a file, its text in `query`; run with psql on a node of `service`) or `command` (argv,
    run there). The text is read before anything starts: the target's folder may be out of sight then.
    """

    table: str
    service: str
    sql: str | None = None
    command: tuple[str, ...] = ()
    query: str = ""


@dataclass(frozen=True)
class Secret:
    """A secret that a foreign stack was started with: as `text`, or in the environment variable `env`."""

    text: str = field(default="", repr=False)
    env: str = ""


@dataclass(frozen=True)
class Attached:
    """A stack that somebody else runs, by its addresses (`host:port`): the harness starts nothing of it.

    service:  what it is called in topologies and scenarios, as a whole
    entrance: where it listens; health, metrics: GET paths there
    psp:      where it calls its PSP; the harness listens there in the PSP's place
    webhook:  where it wants the PSP's events, None for nowhere
    """

    service: str
    entrance: str
    psp: str
    health: str
    webhook: str | None = None
    metrics: str | None = None
    psp_api_key: Secret | None = None
    webhook_secret: Secret | None = None
    caller_secret: Secret | None = None


@dataclass(frozen=True)
class Answered:
    """An answer by its status, and by the error code at a dotted path of its body (None: any)."""

    status: int
    code: str | None = None
    at: str = "error.code"


@dataclass(frozen=True)
class Operators:
    """What the target's operators ask of it. Templates see `operator.bearer` (an admin's) and `op.key`.

    moves_money: a request that would move money and, whether it is frozen or not, moves none, such as a
                 payment of an order that there is not
    frozen:      how that is answered while it is frozen, and never else
    """

    freeze: Request | None
    unfreeze: Request | None
    moves_money: Request | None
    frozen: Answered


@dataclass(frozen=True)
class Allow:
    """What a drill may break although its run has not created it: nodes or services, volumes (by their
    nodes) and edges.
    """

    nodes: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    edges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attacks:
    """What of the target can be attacked. Kinds are those of `client.requests`.

    webhook: path at the entrance where it takes the PSP's events, None for nowhere
    owned:   requests about an order that only its own customer may make
    probed:  requests in whose values SQL is tried
    """

    webhook: str | None = None
    owned: tuple[str, ...] = ()
    probed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A system under test. `folder` is its source; a mutant is a changed copy of it."""

    name: str
    title: str
    folder: Path
    default_topology: str
    services: Mapping[str, Service]
    client: Client
    timing: Timing
    facts: tuple[FactSource, ...] = ()
    open_work: FactSource | None = None
    requirements: str | None = None
    state_classes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    catalogue: tuple[Mapping[str, object], ...] = ()
    pricing: Pricing = field(default_factory=Pricing)
    attached: Attached | None = None
    operators: Operators | None = None
    allow: Allow = field(default_factory=Allow)
    attacks: Attacks = field(default_factory=Attacks)
