"""What the child is told before it begins: the load's part of the plan, and the target's API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from paydrill.errors import UsageError
from paydrill.load import classes
from paydrill.load.operations import compile_requests
from paydrill.load.products import read_products
from paydrill.plan import Crowd, Herd, PlannedLoad, Segment
from paydrill.target import Client, OutcomeRule, Pricing, Promotion, Request
from paydrill.target_client import KINDS


@dataclass(frozen=True)
class LoadSetup:
    """`timeout_s` is the client's patience with one request; `horizon_s` with one step's retries.

    psp_url, psp_edge: where the customers' browsers reach the PSP; None where the topology has no such edge
    ca_file: whom to trust where `base_url` is https.
    """

    plan: PlannedLoad
    client: Client
    catalogue: tuple[Mapping[str, object], ...]
    timeout_s: float
    horizon_s: float
    seed: int
    base_url: str
    history: str
    edge: str | None = None
    caller_secret: str = ""
    pricing: Pricing = field(default_factory=Pricing)
    psp_url: str | None = None
    psp_edge: str | None = None
    ca_file: str | None = None
    series: str = ""

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        plain["catalogue"] = [dict(row) for row in self.catalogue]
        return plain

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> LoadSetup:
        return LoadSetup(
            plan=_plan(plain["plan"]),
            client=_client(plain["client"]),
            catalogue=tuple(plain["catalogue"]),
            timeout_s=plain["timeout_s"],
            horizon_s=plain["horizon_s"],
            seed=plain["seed"],
            base_url=plain["base_url"],
            history=plain["history"],
            edge=plain["edge"],
            caller_secret=plain["caller_secret"],
            pricing=_pricing(plain["pricing"]),
            psp_url=plain["psp_url"],
            psp_edge=plain["psp_edge"],
            ca_file=plain["ca_file"],
            series=plain["series"],
        )

    def check(self) -> None:
        """Raises UsageError for what the child could not run: mix, templates or catalogue."""
        compile_requests(self.client)
        read_products(self.catalogue)
        known = classes.known()
        for name in self.plan.classes:
            if name not in known:
                raise UsageError(f"load.mix: {name!r} is no traffic class; expected {', '.join(known)}")
            needed = [need for need in known[name].needs if need in KINDS]
            missing = [kind for kind in needed if kind not in self.client.requests]
            if missing:
                raise UsageError(
                    f"load.mix: {name} needs the requests {', '.join(missing)}; "
                    "describe them under client.requests in target.yaml"
                )
            if self.psp_url is None and any(self.client.requests[kind].at == "psp" for kind in needed):
                raise UsageError(f"load.mix: {name} needs an edge client->psp in the topology")
        if not any(weight > 0 for weight in self.plan.mix.values()):
            raise UsageError("load.mix: expected at least one traffic class with a weight > 0")


def _plan(plain: Mapping[str, Any]) -> PlannedLoad:
    segments = tuple(Segment(**segment) for segment in plain["segments"])
    return PlannedLoad(
        segments,
        plain["mix"],
        plain["max_in_flight"],
        tuple(plain["left_out"]),
        tuple(Crowd(**crowd) for crowd in plain["crowds"]),
        tuple(Herd(**herd) for herd in plain["herds"]),
    )


def _pricing(plain: Mapping[str, Any]) -> Pricing:
    promotions = (Promotion(one["code"], one["percent"], tuple(one["skus"])) for one in plain["promotions"])
    return Pricing(tuple(promotions), plain["tax_bp"])


def _client(plain: Mapping[str, Any]) -> Client:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
    }
    fields["requests"] = {kind: Request(**request) for kind, request in plain["requests"].items()}
    fields["outcomes"] = tuple(OutcomeRule(**rule) for rule in plain["outcomes"])
    return Client(**fields)
