"""The local backend under the contract: as root would have it, and both degraded layouts."""

from __future__ import annotations

from collections.abc import Callable

from contract import BackendUnderTest
from contract_checks import Hooks

from paydrill.backends import Address, Backend, Stack


class LocalHooks(Hooks):
    def direct(self, stack: Stack, node: str) -> Address:
        return stack.layout.listen(stack.topology.node(node))  # type: ignore[attr-defined, no-any-return]

    def toxiproxy_api(self, stack: Stack) -> Address:
        return stack.layout.toxiproxy()  # type: ignore[attr-defined, no-any-return]


def local(best: str) -> Callable[[], Backend]:
    def make() -> Backend:
        from paydrill.backends.local import LocalBackend

        return LocalBackend(best=best)  # type: ignore[arg-type]

    return make


def lacks(best: str) -> Callable[[], str | None]:
    """Why this layout cannot be had here."""

    def missing() -> str | None:
        from paydrill.backends.local import LocalBackend

        backend = LocalBackend(best=best)  # type: ignore[arg-type]
        if absent := backend.missing():
            return "; ".join(absent)
        able = backend.capabilities()
        return None if able.namespaces == best else f"{able.lacking}"

    return missing


BACKENDS = {
    "local": BackendUnderTest(local("root"), LocalHooks(), lacks("root"), "strong"),
    "local-user-namespaces": BackendUnderTest(local("user"), LocalHooks(), lacks("user"), "weak"),
    "local-plain": BackendUnderTest(local("none"), LocalHooks(), lacks("none"), "weak"),
}
