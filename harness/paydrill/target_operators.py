"""The `operators:` and `allow:` blocks of a target: what its operators can ask of it, and what drills may break."""

from __future__ import annotations

import re

from paydrill.target import Allow, Answered, Operators
from paydrill.target_client import read_request
from paydrill.yaml_fields import Field

_PLACE = re.compile(r"[a-z][a-z0-9-]*(->[a-z][a-z0-9-]*)?")
_EDGE = "->"


def read_operators(field: Field) -> Operators:
    """The block, its mistakes noted. All of it is needed: a freeze that nobody can lift is no drill."""
    section = field.section(("freeze", "unfreeze", "moves_money", "frozen"))
    freeze, unfreeze = section.require("freeze"), section.require("unfreeze")
    moves, frozen = section.require("moves_money"), section.require("frozen", "frozen: {status: 503}")
    return Operators(
        freeze=read_request("freeze", freeze) if freeze else None,
        unfreeze=read_request("unfreeze", unfreeze) if unfreeze else None,
        moves_money=read_request("moves_money", moves) if moves else None,
        frozen=_answered(frozen) if frozen else Answered(503),
    )


def read_allow(field: Field) -> Allow:
    """Names of nodes, services and edges; whether a topology has them is seen when a scenario is read."""
    section = field.section(("nodes", "volumes", "edges"))
    return Allow(
        nodes=_places(section.get("nodes"), edges=False),
        volumes=_places(section.get("volumes"), edges=False),
        edges=_places(section.get("edges"), edges=True),
    )


def _answered(field: Field) -> Answered:
    section = field.section(("status", "code", "at"))
    status, code, at = section.require("status", "status: 503"), section.get("code"), section.get("at")
    return Answered(
        status=(status.integer(100, 599) if status else None) or 503,
        code=code.scalar_text() if code else None,
        at=(at.scalar_text() if at else None) or Answered.at,
    )


def _places(field: Field | None, *, edges: bool) -> tuple[str, ...]:
    found = []
    for item in field.items() if field else ():
        text = item.text(limit=200)
        if text is None:
            continue
        if not _PLACE.fullmatch(text) or (_EDGE in text) != edges:
            item.wrong(
                f"expected {'an edge such as payments->psp' if edges else 'a node or a service'}, got {text!r}"
            )
            continue
        found.append(text)
    return tuple(found)
