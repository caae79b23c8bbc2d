"""The docker backend under the contract. PAYDRILL_REQUIRE_DOCKER=1 makes its absence a failure, not a skip."""

from __future__ import annotations

import os

import pytest
from contract import BackendUnderTest
from contract_checks import Hooks

from paydrill.backends import Address, Backend, Stack


class DockerHooks(Hooks):
    def direct(self, stack: Stack, node: str) -> Address:
        return stack.addresses.listen(stack.topology.node(node))  # type: ignore[attr-defined, no-any-return]

    def toxiproxy_api(self, stack: Stack) -> Address:
        return stack.addresses.toxiproxy_api  # type: ignore[attr-defined, no-any-return]


def make() -> Backend:
    from paydrill.backends.docker import DockerBackend

    return DockerBackend(print)


def missing() -> str | None:
    from paydrill.backends.docker import DockerBackend

    lacks = "; ".join(DockerBackend().missing())
    if lacks and os.environ.get("PAYDRILL_REQUIRE_DOCKER") == "1":
        pytest.fail(f"PAYDRILL_REQUIRE_DOCKER=1, but: {lacks}")
    return lacks or None


BACKENDS = {"docker": BackendUnderTest(make, DockerHooks(), missing, "strong", ("docker",))}
