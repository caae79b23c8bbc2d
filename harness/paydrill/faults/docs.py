"""`docs/faults.md` from the catalogue: `python -m paydrill.faults.docs docs/faults.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from paydrill.fault_fields import FieldSpec, as_written, specs_of
from paydrill.faults import Fault, known
from paydrill.units import format_rate

_INTRODUCTION = """# Faults

*Made from the files in `harness/paydrill/faults/` by `python -m paydrill.faults.docs docs/faults.md`.*

A fault is one step of a scenario's `timeline` ([scenarios.md](scenarios.md)): `at`, `for`, `fault` and its own keys. It is put in force and read back; while it is in force a *witness* looks whether it takes effect, without trusting what injected it; then it is healed, also on an error, Ctrl-C or SIGTERM, and its absence is read back. When the harness itself is killed, its watchdog takes the whole drill down. A fault that nobody saw makes the drill inconclusive.

- An edge is `client->server`, a node `payments-1`; a service name means all its nodes. `paydrill show lb-2` prints those of a topology. The PSP and the clients are instruments: an edge to them can be broken, they themselves cannot.
- `direction: downstream` (the default) is the way of the answers, `upstream` that of the requests.
- `existing: keep` (the default) leaves open connections as they are, and toxics act on them too; `cut` closes them first, so that pools have to connect anew under the fault.
- Everything drawn by lot (jitter, sizes, rhythms, which session) comes from the plan's seed, never from Toxiproxy's own.
- A disk is the `data` or the `wal` of a PostgreSQL node. Where a plan has a disk fault that node gets a file system of its own for each ([local.md](local.md)); what a machine lacks for it makes the drill `not_run`, before anything is started ([verdict.md](verdict.md)).
- What a fault of the PSP hits is a hash of the plan's seed, the fault's number, the token, the operation and the n-th try, so that the order of arrival does not change it (a rate limit by rate goes by arrival). It is put in force beside the plan's `psp:` and beside other faults of the PSP; of several that would hit the same operation the one that began first does. `psp: psp` or `psp2` means one of two PSPs, left out all that the topology has.
- The same fault cannot be in force twice at once on the same edge and direction, nor `flap` together with `down`; one node can be hit by one node fault at a time.

| column | meaning |
|---|---|
| effect | what it puts at risk: money, availability, none |
| ok | how many definite answers the drill expects while it is on: none, some, most |
| witness | what proves it: the path (bytes, timing, refusals through the proxy), the process (another one runs, or none), the answer to a probe, the store (a row read back), the load, the kernel, the journal of the PSP simulator (what has become of the requests and events that were hit); looked at as soon as it is in force, or at its end |

"""
_HEAD = "| fault | hits | keys | effect | ok | witness | backends | needs | undone |\n|---|---|---|---|---|---|---|---|---|\n"


def faults_markdown() -> str:
    """The whole page."""
    return _INTRODUCTION + "".join(_family(family) for family in _families())


def keys_of(fault: type[Fault]) -> str:
    """Its own keys with their units, for one cell; those that may be left out in brackets."""
    return ", ".join(_key(spec) for spec in specs_of(fault))


def needs_of(fault: type[Fault]) -> str:
    return ", ".join(fault.needs) or "–"


def _families() -> list[str]:
    return list(dict.fromkeys(fault.family for fault in _by_family()))


def _by_family() -> list[type[Fault]]:
    return sorted(known().values(), key=lambda fault: (fault.family, fault.name))


def _family(family: str) -> str:
    faults = [fault for fault in _by_family() if fault.family == family]
    rows = "".join(_row(fault) for fault in faults)
    return f"## {family.capitalize()}\n\n{_HEAD}{rows}\n{''.join(_section(fault) for fault in faults)}"


def _row(fault: type[Fault]) -> str:
    keys = ", ".join(f"`{_key(spec)}`" for spec in specs_of(fault))
    cells = (
        *(f"`{fault.name}`", fault.hits, keys, fault.effect, fault.expects),
        f"{fault.witnessed_by}, {fault.looks}",
        *(", ".join(fault.backends), needs_of(fault), fault.undo),
    )
    return f"| {' | '.join(cells)} |\n"


def _key(spec: FieldSpec) -> str:
    told = f"{spec.key} {spec.unit}".rstrip()
    return told if spec.required else f"[{told}]"


def _section(fault: type[Fault]) -> str:
    about = " ".join((fault.__doc__ or "").split())
    choices = "".join(
        f"- `{spec.key}`: {_values(spec)}\n" for spec in specs_of(fault) if spec.choices or not spec.required
    )
    more = f"\n{choices}" if choices else ""
    return f"### {fault.name}\n\n{fault.summary[0].upper()}{fault.summary[1:]}. {about}\n{more}\n```yaml\n{_example(fault)}\n```\n\n"


def _values(spec: FieldSpec) -> str:
    choices = " or ".join(f"`{choice}`" for choice in spec.choices)
    told = "nothing" if spec.default is None else f"`{spec.default}`"
    default = "" if spec.required else f"{told} if left out"
    return "; ".join(part for part in (choices, default) if part)


def _example(fault: type[Fault]) -> str:
    own = [f"{key}: {value}" for key, value in _written(fault.example).items()]
    return f"- {{{', '.join(['at: 5s', 'for: 4s', f'fault: {fault.name}', *own])}}}"


def _written(fields: Mapping[str, object]) -> dict[str, str]:
    """As in a scenario: there a rate is written with its unit."""
    rates = {"rate": format_rate(float(str(fields["rate_per_s"])))} if "rate_per_s" in fields else {}
    return {**as_written({k: v for k, v in fields.items() if k != "rate_per_s"}), **rates}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(faults_markdown(), encoding="utf-8")
