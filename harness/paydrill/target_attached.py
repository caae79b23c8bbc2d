"""The `attached:` block of a target: a stack that somebody else started, by its addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from paydrill.target import Attached, Health, Secret, Service
from paydrill.topology import INSTRUMENTS
from paydrill.yaml_fields import Field, Section
from paydrill.yaml_source import YamlMap, shown

KEYS = (
    "service",
    "entrance",
    "psp",
    "webhook",
    "health",
    "metrics",
    "psp_api_key",
    "webhook_secret",
    "caller_secret",
)
NOT_WITH_IT = ("services", "facts", "open_work", "requirements")
SERVICE = "payments"
_ADDRESS = re.compile(r"([A-Za-z0-9.-]{1,253}):(\d{1,5})")
_SERVICE_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")
_LIVE_KEY = re.compile(r"(sk|rk)_live_")


def read_attached(field: Field, root: Section) -> Attached:
    """The block, its mistakes noted. `root` is the whole file: some keys make no sense beside it."""
    for key in NOT_WITH_IT:
        if root.get(key) is not None:
            root.key_wrong(
                key, f"`{key}` does not go with `attached`: the harness starts and reads nothing of it"
            )
    section = field.section(KEYS)
    entrance, psp = (
        section.require("entrance", "entrance: 127.0.0.1:8080"),
        section.require("psp", "psp: 127.0.0.1:12111"),
    )
    webhook, health = section.get("webhook"), section.require("health", "health: /healthz")
    path = health.url_path(" at the entrance") if health else None
    metrics = section.get("metrics")
    return Attached(
        service=_service(section.get("service")),
        entrance=_address(entrance),
        psp=_address(psp),
        webhook=_url(webhook) if webhook else None,
        health=path or "/",
        metrics=metrics.url_path(" at the entrance") if metrics else None,
        psp_api_key=_secret(section.require("psp_api_key", "psp_api_key: {env: NAME}")),
        webhook_secret=_secret(section.get("webhook_secret")),
        caller_secret=_secret(section.get("caller_secret")),
    )


def services_of(attached: Attached) -> Mapping[str, Service]:
    """The one black box as a service, so that topologies and scenarios can name it."""
    port = int(attached.entrance.rpartition(":")[2] or 1)
    return {
        attached.service: Service(
            attached.service,
            "attached",
            port or 1,
            Health(http=attached.health),
            metrics=attached.metrics,
        ),
    }


def _service(field: Field | None) -> str:
    name = field.name() if field else SERVICE
    if field and name and not _SERVICE_NAME.fullmatch(name):
        field.wrong(f"{shown(name)} is not a service name: a-z and 0-9, a letter first")
    elif field and name in INSTRUMENTS:
        field.wrong(f"`{name}` belongs to the harness")
    return name or SERVICE


def _address(field: Field | None) -> str:
    text = field.text(limit=300) if field else None
    if field is None or text is None:
        return ":"
    match = _ADDRESS.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 65_535:
        field.wrong(f"{shown(text)} is not an address: expected host:port", "127.0.0.1:8080")
        return ":"
    return text


def _url(field: Field) -> str | None:
    text = field.text(limit=500)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "http" and bool(parts.hostname) and not parts.username
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        field.wrong(f"{shown(text)} is not the URL of a webhook", "http://127.0.0.1:8080/webhooks")
        return None
    return text


def _secret(field: Field | None) -> Secret | None:
    """`sk_test_…` as it stands, or `{env: NAME}`."""
    if field is None:
        return None
    if isinstance(field.node, YamlMap):
        named = field.section(("env",)).require("env", "env: SHOP_PSP_KEY")
        return Secret(env=(named.text(limit=100) if named else None) or "")
    text = field.text(limit=300)
    if text and _LIVE_KEY.match(text):
        field.wrong("this is a live key: give the stack a test key, the simulator takes any")
    return Secret(text=text or "")
