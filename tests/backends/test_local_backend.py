"""What only the local backend can be asked: bad starts, dead instruments, drills side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from stack_of_minitarget import minitarget

from paydrill.backends import Outcome, Stack, StackSetup
from paydrill.backends.local import LocalBackend
from paydrill.backends.local.firewall import rules
from paydrill.backends.local.imports import third_party_imports
from paydrill.target import Health, Service

Conduct = Callable[[Stack, Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def parts_are_here() -> None:
    if absent := LocalBackend().missing():
        pytest.skip("; ".join(absent))


def drill(setup: StackSetup, conductor: Conduct, backend: LocalBackend | None = None) -> Outcome:
    with (backend or LocalBackend()).launch(setup, conductor) as world:
        outcome = world.wait(60)
    assert outcome is not None
    return outcome


def nothing(_: Stack, __: Callable[[], bool]) -> None:
    pass


def changed(setup: StackSetup, services: Mapping[str, Service]) -> StackSetup:
    return replace(setup, target=replace(setup.target, services={**setup.target.services, **services}))


def test_a_service_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    setup = minitarget(tmp_path)
    broken = replace(setup.target.services["front"], env={})
    outcome = drill(changed(setup, {"front": broken}), nothing)
    assert outcome.code == 3
    assert "stack_not_ready: front-1: its process has ended" in outcome.detail
    assert "KeyError: 'NAME'" in outcome.detail


def test_a_schema_that_is_refused_is_told_with_the_databases_words(tmp_path: Path) -> None:
    setup = minitarget(tmp_path)
    (setup.source / "sql" / "002-bad.sql").write_text("CREATE TABEL x ();")
    outcome = drill(setup, nothing)
    assert outcome.code == 3
    assert "db-1: schema.sql was refused: " in outcome.detail
    assert 'syntax error at or near "TABEL"' in outcome.detail


def test_a_stop_during_the_start_ends_it_at_once(tmp_path: Path) -> None:
    setup = minitarget(tmp_path)
    never = replace(setup.target.services["front"], health=Health(http="/nowhere"))
    with LocalBackend().launch(changed(setup, {"front": never}), nothing) as world:
        assert world.wait(0.5) is None
        world.request_stop()
        began = time.monotonic()
        outcome = world.wait(20)
    assert outcome is not None
    assert outcome.code == 130
    assert time.monotonic() - began < 10


def test_a_dead_instrument_is_named(tmp_path: Path) -> None:
    def conductor(stack: Stack, _: Callable[[], bool]) -> None:
        said = [stack.dead_instruments()]
        for name in ("toxiproxy", "psp2", "psp"):
            process = stack.instruments[name]  # type: ignore[attr-defined]
            process.kill()
            process.wait()
            said.append(stack.dead_instruments())
        (stack.setup.run_dir / "said").write_text(json.dumps(said))

    setup = minitarget(tmp_path)
    assert drill(setup, conductor).code == 0
    none, one, two, three = json.loads((setup.run_dir / "said").read_text())
    assert (none, one, sorted(two)) == ([], ["toxiproxy"], ["psp2", "toxiproxy"])
    assert sorted(three) == ["psp", "psp2", "toxiproxy"]


def test_drills_side_by_side_do_not_meet(tmp_path: Path) -> None:
    """In every layout; the plain ones share this machine's loopback network."""
    setups = [minitarget(tmp_path) for _ in range(3)]

    def conductor(stack: Stack, stop: Callable[[], bool]) -> None:
        (stack.setup.run_dir / "up").write_text(
            str(stack.sql(stack.topology.node("db-1"), "SELECT 1 AS a", 5))
        )
        while not stop():
            time.sleep(0.01)

    with ExitStack() as stack:
        kinds = ("root", "none", "none")
        worlds = [
            stack.enter_context(LocalBackend(best=kind).launch(setup, conductor))  # type: ignore[arg-type]
            for kind, setup in zip(kinds, setups, strict=True)
        ]
        give_up = time.monotonic() + 60
        while not all((setup.run_dir / "up").exists() for setup in setups):
            assert time.monotonic() < give_up
            time.sleep(0.02)
        for world in worlds:
            world.request_stop()
        outcomes = [world.wait(20) for world in worlds]
    assert [outcome and outcome.code for outcome in outcomes] == [0, 0, 0]


def test_nothing_of_a_psp_but_its_journal_stays(tmp_path: Path) -> None:
    setup = minitarget(tmp_path)
    assert drill(setup, nothing).code == 0
    for psp in ("psp", "psp2"):
        assert [path.name for path in (setup.run_dir / psp).iterdir()] == ["journal.jsonl"]
    assert sorted(path.name for path in setup.run_dir.iterdir()) == ["logs", "psp", "psp2"]


def test_the_fork_server_imports_no_code_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "web.py").write_text(
        "import json\nfrom starlette.routing import Route\nfrom shop import db\nimport uvicorn\n"
    )
    names = third_party_imports(tmp_path)
    assert {"starlette.routing", "uvicorn", "uvloop"} <= set(names)
    assert not {"json", "shop"} & {name.split(".")[0] for name in names}


def test_the_firewall_has_a_line_for_each_network_and_refuses_the_rest() -> None:
    text = rules({60001: ("127.2.1.0/24", "127.1.0.1")}, (60000, 60200))
    assert "meta skuid 60001 ip daddr 127.2.1.0/24 accept" in text
    assert text.index("127.1.0.1") < text.index("meta skuid 60000-60200 counter reject")
