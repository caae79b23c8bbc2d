"""Webhook endpoints that are registered by API. The ledger keeps them; `ledger.endpoints_for` names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from paydrill.psp.change import Change
from paydrill.psp.event_types import EVENT_TYPES
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import bad_parameter, missing
from paydrill.psp.requests import Side
from paydrill.psp.routes import Route
from paydrill.psp.shapes import Wire, endpoint
from paydrill.psp.state import Endpoint, State

CREATE_FIELDS = {"url", "enabled_events", "description", "metadata", "api_version", "expand"}
UPDATE_FIELDS = {"url", "enabled_events", "description", "metadata", "disabled", "expand"}


@dataclass(frozen=True)
class CreateEndpoint(Side):
    url: str
    events: tuple[str, ...]
    description: str | None
    metadata: Mapping[str, str]

    def run(self, change: Change) -> Endpoint:
        seq = len(change.ledger.endpoints) + 1
        name = change.name("we", seq)
        made = Endpoint(
            name,
            seq,
            change.created,
            self.url,
            self.events,
            secret=f"whsec_{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}",
            description=self.description,
            metadata=self.metadata,
        )
        change.keep(made)
        return made

    def wire(self, state: State) -> Wire:
        """The only answer that ever tells the secret."""
        assert isinstance(state, Endpoint)
        return {**endpoint(state), "secret": state.secret}


@dataclass(frozen=True)
class UpdateEndpoint(Side):
    """How it is afterwards."""

    after: Endpoint

    def run(self, change: Change) -> Endpoint:
        change.keep(self.after)
        return self.after


def create(ledger: Ledger, route: Route, form: Form) -> CreateEndpoint:
    fields = Fields(form, CREATE_FIELDS)
    url, events = _url(fields.required("url")), _events(fields)
    if not events:
        raise bad_parameter("Missing required param: enabled_events.", "enabled_events", "parameter_missing")
    return CreateEndpoint(
        fields.names("expand"), url, events, fields.text("description"), fields.metadata({})
    )


def update(ledger: Ledger, route: Route, form: Form) -> UpdateEndpoint:
    before = _existing(ledger, route)
    fields = Fields(form, UPDATE_FIELDS)
    url = fields.text("url")
    after = replace(
        before,
        url=_url(url) if url else before.url,
        events=_events(fields) or before.events,
        description=fields.text("description") if fields.given("description") else before.description,
        enabled=not fields.flag("disabled") if fields.given("disabled") else before.enabled,
        metadata=fields.metadata(before.metadata),
    )
    return UpdateEndpoint(fields.names("expand"), after)


def delete(ledger: Ledger, route: Route, form: Form) -> UpdateEndpoint:
    Fields(form, ())
    return UpdateEndpoint((), replace(_existing(ledger, route), deleted=True))


def _existing(ledger: Ledger, route: Route) -> Endpoint:
    assert route.wanted is not None
    found = ledger.endpoints.get(route.wanted)
    if found is None or found.deleted:
        raise missing("webhook_endpoint", route.wanted)
    return found


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad_parameter(
            "Invalid URL: an explicit scheme (such as https) must be provided.", "url", "url_invalid"
        )
    return text


def _events(fields: Fields) -> tuple[str, ...]:
    names = fields.names("enabled_events")
    for name in names:
        if name != "*" and name not in EVENT_TYPES:
            raise bad_parameter(
                f"Invalid enabled_events: {name} is no event of this simulator.", "enabled_events"
            )
    return names
