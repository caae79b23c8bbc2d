"""A scenario file -> Scenario; all its mistakes at once, each with file, line, column and a suggestion."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from paydrill.faults import Fault
from paydrill.overrides import apply_overrides, written_out
from paydrill.psp.rules import ANSWERS, APPROVE, EXECUTIONS, GATES, NUMBERS, WEBHOOKS
from paydrill.scenario import Expect, Load, Scenario, Step, Window
from paydrill.scenario_conditions import read_abort_if
from paydrill.scenario_gauges import Whose
from paydrill.scenario_timeline import read_timeline
from paydrill.target import Target, Timing
from paydrill.topology import Topology
from paydrill.units import BadUnit, parse_bound
from paydrill.yaml_fields import Field, Section, nearest, one_of
from paydrill.yaml_source import Mistakes, parse_yaml, read_bytes, shown

PSP_ANSWERS = (APPROVE, *EXECUTIONS)
PSP_SHARES = (*PSP_ANSWERS, *GATES, *ANSWERS, *WEBHOOKS)
SLOS = ("availability", "ok_ratio", "p95_ms", "p99_ms")
RATIOS = ("availability", "ok_ratio")
LANGUAGES = ("en", "zh")
KEYS = (
    "name",
    "title",
    "why",
    "target",
    "topology",
    "load",
    "psp",
    "timeline",
    "abort_if",
    "expect",
    "timing",
)


@dataclass(frozen=True)
class Words:
    """The words that a scenario may use; None where any is accepted."""

    faults: Mapping[str, type[Fault]]
    classes: Collection[str] | None = None
    invariants: Collection[str] | None = None
    windows: Collection[str] | None = None
    target: Target | None = None


def load_scenario(
    path: Path,
    faults: Mapping[str, type[Fault]],
    topology: Topology | None,
    *,
    classes: Collection[str] | None = None,
    invariants: Collection[str] | None = None,
    windows: Collection[str] | None = None,
    overrides: Sequence[str] = (),
    target: Target | None = None,
) -> Scenario:
    """Read and check a scenario. Without a topology, nodes and edges are not checked; without a target, not
    whether a fault fits it.

    Raises FileProblems with every mistake, UsageError when there is no such file.
    """
    words = Words(faults, classes, invariants, windows, target)
    return parse_scenario(read_bytes(path), str(path), words, topology, overrides=overrides, path=path)


def parse_scenario(
    data: bytes,
    file: str,
    words: Words,
    topology: Topology | None,
    *,
    overrides: Sequence[str] = (),
    path: Path | None = None,
) -> Scenario:
    """The same for a text already read; `file` is how messages call it. Raises FileProblems."""
    mistakes = Mistakes()
    root = parse_yaml(data, file, mistakes)
    if root is None:
        mistakes.raise_if_any()
        raise AssertionError("a text without a tree has a mistake")
    root = apply_overrides(root, overrides, mistakes)
    scenario = _Reader(words, topology, mistakes).read(Field(root, "", mistakes).section(KEYS))
    mistakes.raise_if_any()
    if scenario is None:
        raise AssertionError("a scenario that could not be read has a mistake")
    text = written_out(root, overrides) if overrides else data.decode("utf-8-sig")
    return replace(scenario, path=path, text=text)


def peek_names(path: Path) -> Mapping[str, str]:
    """`name`, `target` and `topology` of a scenario file as far as they can be read; never raises FileProblems."""
    mistakes = Mistakes()
    root = parse_yaml(read_bytes(path), str(path), mistakes)
    if root is None:
        return {}
    section = Field(root, "", mistakes).section(None)
    return {
        key: text
        for key in ("name", "target", "topology")
        if (field := section.get(key)) and (text := field.name())
    }


class _Reader:
    """Reads the sections; each method returns None (or what is harmless) when it noted a mistake."""

    def __init__(self, words: Words, topology: Topology | None, mistakes: Mistakes) -> None:
        self._words = words
        self._topology = topology
        self._mistakes = mistakes

    def read(self, root: Section) -> Scenario | None:
        name = self._name(root, "name", required=True)
        title = self._title(root)
        why = root.require("why", "why: one sentence on what could go wrong")
        load = self._load(root)
        timeline = root.get("timeline")
        duration_s = load.duration_s if load else None
        steps: tuple[Step, ...] = ()
        if timeline is not None:
            steps = read_timeline(
                timeline, self._words.faults, self._topology, duration_s, self._words.target
            )
        abort_if, whose = root.get("abort_if"), Whose(self._topology, self._words.target)
        scenario = Scenario(
            name=name or "unread",
            title=title,
            why=(why.text() if why else None) or "",
            load=load or Load(1.0, 1.0, {}),
            timeline=steps,
            abort_if=read_abort_if(abort_if, duration_s, whose) if abort_if else (),
            psp=self._psp(root.get("psp")),
            expect=self._expect(root.get("expect")),
            timing=read_timing(root.get("timing")),
            target=self._name(root, "target", required=False),
            topology=self._name(root, "topology", required=False),
        )
        return None if self._mistakes.problems else scenario

    def _name(self, root: Section, key: str, *, required: bool) -> str | None:
        field = root.require(key, f"{key}: my-drill") if required else root.get(key)
        return field.name() if field else None

    def _title(self, root: Section) -> Mapping[str, str]:
        field = root.require("title", "title: {en: What happens}")
        if field is None:
            return {}
        if hasattr(field.node, "value"):
            text = field.text(limit=200)
            return {"en": text} if text else {}
        section = field.section(None)
        texts: dict[str, str] = {}
        for key, one in section:
            if key in LANGUAGES:
                texts[key] = one.text(limit=200) or ""
            elif texts and one.is_empty():
                # {en: One, and two}: a comma ends a text without quotes. In a title it can only be meant.
                last = next(reversed(texts))
                texts[last] += f", {key}"
            else:
                _unknown_key(section, key, "language", LANGUAGES)
        if section.usable and not section.node.entries:
            field.wrong("expected a title", "{en: What happens}")
        return texts

    def _load(self, root: Section) -> Load | None:
        field = root.require("load", "load: {rate: 40/s, duration: 20s, mix: {checkout: 1}}")
        if field is None:
            return None
        section = field.section(("rate", "duration", "mix", "max_in_flight"))
        rate, duration = section.require("rate", "rate: 40/s"), section.require("duration", "duration: 20s")
        mix, most = section.require("mix", "mix: {checkout: 1}"), section.get("max_in_flight")
        rate_per_s = rate.rate() if rate else None
        duration_s = duration.duration(zero=False) if duration else None
        shares = self._mix(mix) if mix else None
        max_in_flight = most.integer(1, 100_000) if most else Load.max_in_flight
        if duration_s is None:
            return None
        # Only the duration matters to the timeline's checks; a Scenario with mistakes is never returned.
        return Load(rate_per_s or 1.0, duration_s, shares or {}, max_in_flight or 1)

    def _mix(self, field: Field) -> Mapping[str, float]:
        weights: dict[str, float] = {}
        section = field.section(None)
        for name, one in section:
            if self._words.classes is not None and name not in self._words.classes:
                _unknown_key(section, name, "traffic class", self._words.classes)
            weight = one.number(0, 1_000_000)
            if weight is not None:
                weights[name] = weight
        if section.usable and not any(weights.values()) and len(weights) == len(section.node.entries):
            field.wrong("no traffic class has a weight of more than 0", "{checkout: 1}")
        return weights

    def _psp(self, field: Field | None) -> Mapping[str, float]:
        if field is None:
            return {}
        section = field.section(None)
        shares: dict[str, float] = {}
        for name, one in section:
            value = self._psp_value(section, name, one)
            if value is not None:
                shares[name] = value
        answers = sum(share for name, share in shares.items() if name in PSP_ANSWERS)
        if answers > 1 + 1e-9:
            field.wrong(
                f"the shares of the answers sum up to {answers:g}, more than 1", "shares that sum up to 1"
            )
        return shares

    def _psp_value(self, section: Section, name: str, field: Field) -> float | None:
        """A share of what the PSP does, or one of its settings by the bounds that it has itself."""
        if number := NUMBERS.get(name):
            if number.whole:
                return field.integer(int(number.bottom), int(number.top))
            return field.number(number.bottom, number.top)
        if name not in PSP_SHARES:
            _unknown_key(section, name, "PSP behaviour", (*PSP_SHARES, *NUMBERS))
        return field.number(0, 1)

    def _expect(self, field: Field | None) -> Expect:
        if field is None:
            return Expect()
        section = field.section(
            ("invariants", "slo", "windows", "min_ok", "min_ops_in_fault", "min_ok_in_fault")
        )
        slo, windows = section.get("slo"), section.get("windows")
        return Expect(
            invariants=self._invariants(section.get("invariants")),
            slo=self._slo(slo) if slo else {},
            windows=tuple(self._windows(windows)) if windows else (),
            min_ok=_count(section.get("min_ok"), Expect.min_ok),
            min_ops_in_fault=_count(section.get("min_ops_in_fault"), Expect.min_ops_in_fault),
            min_ok_in_fault=_count(in_fault, 0) if (in_fault := section.get("min_ok_in_fault")) else None,
        )

    def _invariants(self, field: Field | None) -> tuple[str, ...] | None:
        if field is None or getattr(field.node, "text", None) == "all":
            return None
        if hasattr(field.node, "value"):
            field.wrong(f"expected all or a list of ids, got {field.scalar_text()!r}", "all")
            return None
        chosen: list[str] = []
        for item in field.items():
            word = item.scalar_text()
            if word is not None and self._words.invariants is not None and word not in self._words.invariants:
                item.unknown("invariant", word, self._words.invariants)
            elif word is not None:
                chosen.append(word)
        return tuple(dict.fromkeys(chosen))

    def _slo(self, field: Field) -> Mapping[str, str]:
        section = field.section(SLOS)
        bounds: dict[str, str] = {}
        for name, one in section:
            text = one.scalar_text() if name in SLOS else None
            if text is None:
                continue
            try:
                bound = parse_bound(text)
            except BadUnit as error:
                one.wrong(str(error), error.suggestion)
                continue
            if name in RATIOS and bound.limit > 1:
                near = f'"{bound.comparison} {bound.limit / 100:g}"' if bound.limit <= 100 else '">= 0.90"'
                one.wrong(f"{name} is a share from 0 to 1, the bound is {bound.limit:g}", near)
            bounds[name] = text.strip()
        return bounds

    def _windows(self, field: Field) -> list[Window]:
        found: list[Window] = []
        for item in field.items():
            section = item.section(("name", "at_least"))
            name, least = section.require("name"), section.require("at_least", "at_least: 5")
            word = self._window(name) if name else None
            count = least.integer(1, 1_000_000) if least else None
            if word and count:
                found.append(Window(word, count))
        return found

    def _window(self, field: Field) -> str | None:
        known = self._words.windows
        return field.text(limit=60) if known is None else field.choice("window", known)


def read_timing(field: Field | None) -> Mapping[str, float]:
    """Values of a `timing:` block, by the names of `target.Timing`; seconds, or counts for `k` and retries."""
    if field is None:
        return {}
    known = {one.name: one.type for one in fields(Timing)}
    values: dict[str, float] = {}
    for name, one in field.section(tuple(known)):
        if name in known:
            value = one.integer(0, 1000) if known[name] == "int" else one.number(0, 86_400)
            if value is not None:
                values[name] = value
    return values


def _unknown_key(section: Section, key: str, what: str, options: Collection[str]) -> None:
    near = nearest(key, options)
    section.key_wrong(
        key, f"unknown {what} {shown(key)}" + ("" if near else f": expected {one_of(options)}"), near
    )


def _count(field: Field | None, default: int) -> int:
    value = field.integer(0, 1_000_000) if field else default
    return default if value is None else value
