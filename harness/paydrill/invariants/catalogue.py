"""The invariants that exist: one `.sql` file each, read by its header.

-- id: I-01 | severity: S0 | bucket: customer | kind: query
-- title: what is true of every subject
-- needs: tables | uses: tables that are compared if given | events: kinds that tell the story
-- rule: the rule in words
-- pop: SELECT … AS subject, …        the population; may go on over several `-- pop:` lines
SELECT subject, intent, held, amount, currency, why FROM pop
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

from paydrill.errors import UsageError

Severity = Literal["S0", "S1", "S2", "S3"]
Bucket = Literal["customer", "merchant", "goods", "books", "open", "transient", "none"]
Kind = Literal["query", "fold", "probe"]


class HeaderError(ValueError):
    """An invariant's header lacks something, or says what no reader knows."""


@dataclass(frozen=True)
class Invariant:
    """`sql` is the rule over `pop`; `needs` and `uses` are tables; `events` are kinds of evidence rows."""

    id: str
    name: str
    title: str
    severity: Severity
    bucket: Bucket
    kind: Kind
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    events: tuple[str, ...]
    rule: str
    pop: str
    sql: str


@cache
def known() -> tuple[Invariant, ...]:
    """All invariants, in order of their ids. Raises HeaderError for a file that cannot be read as one."""
    folder = files("paydrill.invariants")
    found = (
        parse(entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql")
    )
    return tuple(sorted(found, key=lambda invariant: invariant.id))


def chosen(ids: tuple[str, ...] | None) -> tuple[Invariant, ...]:
    """Those with the given ids, in catalogue order; all for None. Raises UsageError for a foreign id."""
    if ids is None:
        return known()
    there = {invariant.id for invariant in known()}
    if foreign := [each for each in ids if each not in there]:
        raise UsageError(f"unknown invariants: {', '.join(foreign)}; known are {', '.join(sorted(there))}")
    return tuple(invariant for invariant in known() if invariant.id in ids)


def parse(file_name: str, text: str) -> Invariant:
    """One file. Raises HeaderError."""
    fields: dict[str, str] = {}
    body: list[str] = []
    for line in text.splitlines():
        if line.startswith("--") and not body:
            _read_header_line(line.removeprefix("--").strip(), fields)
        else:
            body.append(line)
    id_ = _field(fields, "id", file_name)
    name = file_name.removesuffix(".sql").removeprefix(f"{id_}-")
    if not file_name.startswith(f"{id_}-") or not name:
        raise HeaderError(f"{file_name}: expected a file name of {id_}-<name>.sql")
    return Invariant(
        id=id_,
        name=name,
        title=_field(fields, "title", file_name),
        severity=cast(Severity, _one_of(get_args(Severity), fields, "severity", file_name)),
        bucket=cast(Bucket, _one_of(get_args(Bucket), fields, "bucket", file_name)),
        kind=cast(Kind, _one_of(get_args(Kind), fields, "kind", file_name)),
        needs=tuple(_field(fields, "needs", file_name).split()),
        uses=tuple(fields.get("uses", "").split()),
        events=tuple(_field(fields, "events", file_name).split()),
        rule=_field(fields, "rule", file_name),
        pop=_field(fields, "pop", file_name),
        sql="\n".join(body).strip(),
    )


def _read_header_line(line: str, fields: dict[str, str]) -> None:
    """`key: value | key: value`; `title`, `rule` and `pop` take the whole line, `pop` may go on."""
    key, _, value = line.partition(": ")
    if key == "pop":
        fields["pop"] = f"{fields.get('pop', '')}\n{value.strip()}".strip()
    elif key in ("title", "rule"):
        fields[key] = value.strip()
    else:
        for part in line.split(" | "):
            name, _, text = part.partition(": ")
            fields[name.strip()] = text.strip()


def _field(fields: dict[str, str], name: str, file_name: str) -> str:
    if not fields.get(name):
        raise HeaderError(f"{file_name}: its header has no `{name}:`")
    return fields[name]


def _one_of(allowed: tuple[str, ...], fields: dict[str, str], name: str, file_name: str) -> str:
    value = _field(fields, name, file_name)
    if value not in allowed:
        raise HeaderError(f"{file_name}: {name} is {value}, expected one of {', '.join(allowed)}")
    return value
