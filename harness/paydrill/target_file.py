"""A target's folder -> Target; all mistakes of its `target.yaml` at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import cast

from paydrill.errors import UsageError
from paydrill.scenario_file import read_timing
from paydrill.target import (
    Allow,
    Attacks,
    Client,
    FactSource,
    Health,
    Pricing,
    Promotion,
    Runtime,
    Service,
    Target,
    Timing,
)
from paydrill.target_attached import read_attached, services_of
from paydrill.target_attacks import read_attacks
from paydrill.target_client import read_client
from paydrill.target_operators import read_allow, read_operators
from paydrill.topology import CLIENT, PSP, PSPS
from paydrill.yaml_fields import Field, Section
from paydrill.yaml_source import Mistakes, parse_yaml, read_bytes, shown

FILE = "target.yaml"
RUNTIMES = ("python", "nginx", "postgres", "psp")
STATE_KINDS = ("order", "payment", "refund", "outbox", "delivery", "webhook")
STATE_CLASSES = ("open", "paid", "failed", "cancelled", "refunded", "review")
SERVICE_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")
_KEYS = (
    "name",
    "title",
    "default_topology",
    "services",
    "client",
    "timing",
    "facts",
    "open_work",
    "requirements",
    "state_classes",
    "catalogue",
    "pricing",
    "attached",
    "operators",
    "allow",
    "attacks",
)
_SERVICE_KEYS = (
    "runtime",
    "port",
    "health",
    "metrics",
    "command",
    "env",
    "config",
    "schema",
    "database",
    "settings",
)


def load_target(folder: Path, *, tables: Collection[str] | None = None) -> Target:
    """Read and check a target. `tables` are the evidence tables that facts may fill, None for any.

    Raises FileProblems with every mistake, UsageError when the folder is no target.
    """
    path = folder / FILE
    if not path.is_file():
        raise UsageError(f"{folder}: not a target: it has no {FILE}")
    mistakes = Mistakes()
    root = parse_yaml(read_bytes(path), str(path), mistakes)
    target = None
    if root is not None:
        section = Field(root, "", mistakes).section(_KEYS)
        target = _Reader(folder, tables, mistakes).read(section)
    mistakes.raise_if_any()
    if target is None:
        raise AssertionError("a target that could not be read has a mistake")
    return target


class _Reader:
    """Reads the sections of one target file; a Target with mistakes is never returned."""

    def __init__(self, folder: Path, tables: Collection[str] | None, mistakes: Mistakes) -> None:
        self._folder = folder
        self._tables = tables
        self._mistakes = mistakes

    def read(self, root: Section) -> Target | None:
        outside = root.get("attached")
        attached = read_attached(outside, root) if outside else None
        services = services_of(attached) if attached else self._services(root.require("services"))
        client = root.require("client")
        operators, allow = root.get("operators"), root.get("allow")
        facts, open_work = root.get("facts"), root.get("open_work")
        title = root.require("title")
        read = (read_client(client) if client else None) or Client({}, ())
        attacks = root.get("attacks")
        target = Target(
            name=self._own_name(root),
            title=(title.text(limit=200) if title else None) or "",
            folder=self._folder.resolve(),
            default_topology=self._default_topology(root),
            services=services,
            client=read,
            timing=Timing(**cast("dict[str, int]", dict(read_timing(root.get("timing"))))),
            facts=tuple(one for item in facts.items() if (one := self._fact(item, services, None)))
            if facts
            else (),
            open_work=self._fact(open_work, services, "open_work") if open_work else None,
            requirements=self._file(root.get("requirements")),
            state_classes=self._state_classes(root.get("state_classes")),
            catalogue=tuple(_catalogue(root.require("catalogue", "catalogue: [{sku: …}]"))),
            pricing=_pricing(root.get("pricing")),
            attached=attached,
            operators=read_operators(operators) if operators else None,
            allow=read_allow(allow) if allow else Allow(),
            attacks=read_attacks(attacks, read.requests) if attacks else Attacks(),
        )
        return None if self._mistakes.problems else target

    def _own_name(self, root: Section) -> str:
        field = root.require("name", f"name: {self._folder.resolve().name}")
        name = field.name() if field else None
        folder = self._folder.resolve()
        # In a library a target is found by its folder's name; a mutant's changed copy lies elsewhere.
        if field and name and name != folder.name and folder.parent.name == "targets":
            field.wrong(f"{shown(name)} is not the name of its folder", folder.name)
        return name or ""

    def _default_topology(self, root: Section) -> str:
        field = root.require("default_topology")
        name = field.name() if field else None
        if field and name:
            there = sorted(path.parent.name for path in self._folder.glob("topologies/*/topology.yaml"))
            if name not in there:
                field.unknown("topology", name, there)
        return name or ""

    def _services(self, field: Field | None) -> Mapping[str, Service]:
        services: dict[str, Service] = {}
        if field is None:
            return services
        section = field.section(None)
        for name, one in section:
            if not SERVICE_NAME.fullmatch(name):
                section.key_wrong(name, f"{shown(name)} is not a service name: a-z and 0-9, a letter first")
            elif name == CLIENT:
                section.key_wrong(name, "`client` belongs to the harness")
            else:
                services[name] = self._service(name, one.section(_SERVICE_KEYS))
        if section.usable and not services:
            field.wrong("a target has at least one service")
        return services

    def _service(self, name: str, section: Section) -> Service:
        runtime, port = section.require("runtime"), section.require("port", "port: 8000")
        word = runtime.choice("runtime", RUNTIMES) if runtime else None
        if runtime and word and (word == "psp") != (name in PSPS):
            runtime.wrong(
                "the runtime `psp` belongs to the services `psp` and `psp2`", PSP if name in PSPS else None
            )
        health, config = section.get("health"), section.get("config")
        if health is None and name not in PSPS and section.usable:
            section.require("health", "health: {http: /healthz}")
        database, metrics = section.get("database"), section.get("metrics")
        return Service(
            name=name,
            runtime=cast("Runtime", word or "python"),
            port=(port.integer(1, 65_535) if port else None) or 1,
            health=_health(health) if health else Health(),
            command=_texts(section.get("command")),
            env=_text_map(section.get("env")),
            config=self._config(config) if config else {},
            schema=self._file(section.get("schema"), folder=True),
            database=(database.name() if database else None) or Service.database,
            settings=_text_map(section.get("settings")),
            metrics=metrics.url_path() if metrics else None,
        )

    def _config(self, field: Field) -> Mapping[str, str]:
        files: dict[str, str] = {}
        for template, one in field.section(None):
            name = one.text(limit=200)
            if name is None or not _inside(one, name) or not _inside(one, template):
                continue
            places = [self._folder / template, *self._folder.glob(f"topologies/*/{_globless(template)}")]
            if not any(place.is_file() for place in places):
                one.wrong(f"there is no template {shown(template)} in the target or in a topology")
            files[template] = name
        return files

    def _fact(self, field: Field, services: Mapping[str, Service], table: str | None) -> FactSource | None:
        keys = ("service", "sql", "command") if table else ("table", "service", "sql", "command")
        section = field.section(keys)
        named = None if table else section.require("table")
        word = table or (self._table(named) if named else None)
        where = section.require("service")
        service = where.choice("service", tuple(services)) if where else None
        sql, command = section.get("sql"), section.get("command")
        if section.usable and (sql is None) == (command is None):
            field.wrong("expected either `sql` or `command`")
        if sql and service and services[service].runtime != "postgres":
            sql.wrong(f"{service} is no postgres service; `sql` runs on one")
        if word is None or service is None:
            return None
        name = self._file(sql)
        return FactSource(word, service, name, _texts(command), self._query(sql, name))

    def _query(self, field: Field | None, name: str | None) -> str:
        """The text of a SQL file, without its last semicolon."""
        if field is None or name is None:
            return ""
        try:
            return (self._folder / name).read_text(encoding="utf-8").strip().rstrip(";")
        except (OSError, UnicodeDecodeError) as error:
            field.wrong(f"{shown(name)} cannot be read: {error}")
            return ""

    def _table(self, field: Field) -> str | None:
        if self._tables is None:
            return field.text(limit=60)
        return field.choice("evidence table", self._tables)

    def _state_classes(self, field: Field | None) -> Mapping[str, Mapping[str, str]]:
        if field is None:
            return {}
        section = field.section(STATE_KINDS)
        return {
            kind: {
                state: word
                for state, item in one.section(None)
                if (word := item.choice("class of states", STATE_CLASSES))
            }
            for kind, one in section
            if kind in STATE_KINDS
        }

    def _file(self, field: Field | None, *, folder: bool = False) -> str | None:
        """A file (or folder) of the target, named from the target's folder."""
        name = field.text(limit=300) if field else None
        if field is None or name is None or not _inside(field, name):
            return None
        path = self._folder / name
        if not (path.is_dir() if folder else path.is_file()):
            field.wrong(f"there is no {'folder' if folder else 'file'} {shown(name)} in the target")
        elif not path.resolve().is_relative_to(self._folder.resolve()):
            field.wrong(f"{shown(name)} leads out of the target's folder")
        return name


def _inside(field: Field, name: str) -> bool:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or not name.isprintable():
        near = PurePosixPath(name).name
        field.wrong(f"{shown(name)} is not a path inside the folder", near if near.strip(".") else None)
        return False
    return True


def _globless(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _health(field: Field) -> Health:
    section = field.section(("http", "postgres"))
    http, postgres = section.get("http"), section.get("postgres")
    if section.usable and (http is None) == (postgres is None):
        field.wrong("expected either `http: /path` or `postgres: true`", "{http: /healthz}")
    return Health(http=http.url_path() if http else None, postgres=bool(postgres and postgres.boolean()))


def _texts(field: Field | None) -> tuple[str, ...]:
    items = (item.scalar_text() for item in field.items()) if field else ()
    return tuple(text for text in items if text is not None)


def _text_map(field: Field | None) -> Mapping[str, str]:
    pairs = ((key, one.scalar_text()) for key, one in field.section(None)) if field else ()
    return {key: text for key, text in pairs if text is not None}


def _catalogue(field: Field | None) -> list[Mapping[str, object]]:
    rows: list[Mapping[str, object]] = []
    for item in field.items() if field else ():
        section = item.section(("sku", "unit_price", "currency", "weight", "stock", "title", "tags"))
        sku, price, currency = (section.require(key) for key in ("sku", "unit_price", "currency"))
        row: dict[str, object] = {}
        if sku and (text := sku.scalar_text()):
            row["sku"] = text
        if price and (minor := price.integer(1, 10**12)):
            row["unit_price"] = minor
        if currency and (code := currency.scalar_text()):
            if not re.fullmatch(r"[A-Z]{3}", code):
                currency.wrong(f"{shown(code)} is not an ISO 4217 code", "EUR")
            row["currency"] = code
        for key, one in section:
            if key == "weight" and (weight := one.number(1e-6, 1e6)):
                row[key] = weight
            elif key == "stock" and (stock := one.integer(0, 10**9)) is not None:
                row[key] = stock
            elif key == "title" and (title := one.text(limit=200)):
                row[key] = title
            elif key == "tags":
                row[key] = list(_texts(one))
        rows.append(row)
    if field and not rows:
        field.wrong("the catalogue is empty: there is nothing to buy")
    return rows


def _pricing(field: Field | None) -> Pricing:
    if field is None:
        return Pricing()
    section = field.section(("promotions", "tax_bp"))
    promotions, tax = section.get("promotions"), section.get("tax_bp")
    rates = {
        currency: rate
        for currency, one in (tax.section(None) if tax else ())
        if (rate := one.integer(0, 10_000)) is not None
    }
    found = tuple(_promotion(item) for item in promotions.items()) if promotions else ()
    return Pricing(promotions=found, tax_bp=rates)


def _promotion(field: Field) -> Promotion:
    section = field.section(("code", "percent", "skus"))
    code, percent = section.require("code"), section.require("percent", "percent: 15")
    return Promotion(
        code=(code.scalar_text() if code else None) or "",
        percent=(percent.integer(1, 99) if percent else None) or 1,
        skus=_texts(section.get("skus")),
    )
