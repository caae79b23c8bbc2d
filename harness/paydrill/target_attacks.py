"""The `attacks:` block of a target: what of it can be attacked."""

from __future__ import annotations

from collections.abc import Mapping

from paydrill.target import Attacks, Request
from paydrill.yaml_fields import Field

KEYS = ("webhook", "owned", "probed")
_ABOUT_AN_ORDER = "intent.order_ref"


def read_attacks(field: Field, requests: Mapping[str, Request]) -> Attacks:
    """The block, its mistakes noted. `requests` are the target's own, by kind."""
    section = field.section(KEYS)
    webhook, owned, probed = (section.get(key) for key in KEYS)
    path = webhook.url_path(" at the entrance") if webhook else None
    about_an_order = {kind: one for kind, one in requests.items() if _ABOUT_AN_ORDER in one.path}
    return Attacks(path, _kinds(owned, about_an_order), _kinds(probed, requests))


def _kinds(field: Field | None, requests: Mapping[str, Request]) -> tuple[str, ...]:
    at_target = tuple(kind for kind, one in requests.items() if one.at == "target")
    kinds = (item.choice("kind of request", at_target) for item in field.items()) if field else ()
    return tuple(kind for kind in kinds if kind is not None)
