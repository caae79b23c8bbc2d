"""list, show, --dry-run, doctor: what is said, on which stream, with which exit code."""

from __future__ import annotations

import json

import pytest

KINDS = ("scenarios", "suites", "faults", "invariants", "topologies", "mutants", "targets")


@pytest.mark.parametrize("kind", KINDS)
def test_list_says_the_same_in_words_and_as_json(cli, kind):
    words, document = cli("list", kind), cli("list", kind, "--json")
    assert (words.code, document.code, words.err, document.err) == (0, 0, "", "")
    rows = json.loads(document.out)
    assert isinstance(rows, list) and all(row["name"] for row in rows)
    assert [line.split("\t")[0] for line in words.out.splitlines()] == [row["name"] for row in rows]


def test_list_holds_what_this_version_promises(cli):
    def names(kind):
        return {row["name"] for row in json.loads(cli("list", kind, "--json").out)}

    assert {"steady", "psp-response-lost", "payments-kill", "flash-sale"} <= names("scenarios")
    assert {"latency", "timeout", "reset_peer", "down", "kill", "pause", "spike"} <= names("faults")
    assert "reference" in names("targets")
    assert "lb-2" in names("topologies")


def test_a_scenario_with_mistakes_is_listed_and_hides_no_other(cli, tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "broken.yaml").write_text("name: [\n")
    result = cli("list", "scenarios", "--json")
    monkeypatch.chdir(tmp_path)
    rows = {row["name"]: row for row in json.loads(cli("list", "scenarios", "--json").out)}
    assert "problem" in rows["broken"] and "problem" not in rows["steady"]
    assert result.code == 0


@pytest.mark.parametrize(
    "name", ["psp-response-lost", "lb-2", "reference", "latency", "I-01", "scenarios/steady.yaml"]
)
def test_show_tells_in_words_and_as_json(cli, name):
    words, document = cli("show", name), cli("show", name, "--json")
    assert words.code == document.code == 0
    shown = json.loads(document.out)
    assert words.out.startswith(f"{shown['kind']} {shown['name']}")


def test_show_of_a_topology_is_flat(cli):
    shown = json.loads(cli("show", "single", "--json").out)
    assert "orders-1" in shown["nodes"] and "orders-2" not in shown["nodes"]
    assert "payments-1->psp" in shown["edges"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("lst",), "there is no command 'lst' (did you mean list?)"),
        (
            ("run", "psp-respnse-lost"),
            "there is no scenario 'psp-respnse-lost' (did you mean psp-response-lost?)",
        ),
        (("run", "scenarios/stedy.yaml"), "did you mean scenarios/steady.yaml?"),
        (
            ("run", "steady", "--target", "referense"),
            "there is no target 'referense' (did you mean reference?)",
        ),
        (("run", "steady", "--topology", "lb-3"), "no topology 'lb-3' (did you mean lb-2?)"),
        (("run", "steady", "--mutant", "M0"), "there is no mutant 'M0'"),
        (("run", "steady", "--mutant", "no/such.patch"), "no such patch file"),
        (("run", "steady", "--backend", "lokal"), "'lokal' is not one of"),
        (("run", "steady", "--seed", "x"), "'x' is not a valid integer"),
        (("run", "steady", "--repeat", "0"), "0 is not in the range"),
        (("run",), "Missing argument"),
        (("run", "steady", "--dryrun"), "No such option"),
        (("list", "fautls"), "nothing is listed as 'fautls' (did you mean faults?)"),
        (("show", "latensy"), "there is nothing called 'latensy' (did you mean latency?)"),
        (("check", "reports/none"), "there is no such run"),
        (("check", "docs"), "not a run"),
        (("replay", "docs"), "not a run"),
        (("report", "docs"), "not a run"),
        (("explain", "docs", "1"), "not a run"),
        (
            ("run", "steady", "--set", "load.rate=fast"),
            "--set load.rate=fast:1:11: load.rate: 'fast' is not a rate",
        ),
        (("run", "steady", "--out", "README.md"), "is a file"),
    ],
)
def test_wrong_usage_is_exit_2_with_what_was_probably_meant(cli, words, hint):
    ended = cli(*words)
    assert ended.code == 2
    assert hint in ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_dry_run_tells_every_action_its_object_and_its_undoing(cli):
    ended = cli("run", "payments-kill", "--dry-run", "--json", "--seed", "7")
    assert (ended.code, ended.err) == (0, "")
    plan = json.loads(ended.out)
    assert plan["seed"] == 7
    actions = plan["actions"]
    assert [action["action"] for action in actions].count("kill") == 3
    assert all(action["object"] and action["undo"] for action in actions)
    assert [action["at_s"] for action in actions] == sorted(action["at_s"] for action in actions)


def test_dry_run_of_several_drills_is_a_list(cli):
    drills = json.loads(cli("run", "steady", "flash-sale", "--repeat", "2", "--dry-run", "--json").out)
    assert [(drill["scenario"], drill["seed"]) for drill in drills] == [
        ("steady", 1), ("steady", 2), ("flash-sale", 1), ("flash-sale", 2),
    ]  # fmt: skip


def test_the_mistakes_of_all_files_are_told_at_once_and_nothing_else(cli, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(
            "name: x\ntitle: t\nwy: w\nload: {rate: 1/s, duration: 1s, mix: {checkout: 1}}\n"
        )
    ended = cli("run", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    assert ended.code == 2
    assert ended.err.splitlines() == [
        f"{tmp_path}/{name}.yaml:{rest}"
        for name in ("a", "b")
        for rest in ("1:1: why: the key 'why' is missing (did you mean why: one sentence on what could go wrong?)",
                     "3:1: wy: unknown key 'wy' (did you mean why?)")
    ]  # fmt: skip


def test_a_long_message_is_never_wrapped(process, tmp_path):
    path = tmp_path / ("long-" * 30 + ".yaml")
    path.write_text("name: x\n" + "k" * 50 + ": 1\n")
    ended = process("run", str(path))
    assert ended.code == 2
    assert all(line.startswith(str(path)) for line in ended.err.splitlines())


def test_control_characters_in_a_file_do_not_reach_the_terminal(process, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text('name: "a\\e[31mred"\n"k\\e]0;t\\a": 1\n')
    ended = process("run", str(path))
    assert ended.code == 2
    assert "\x1b" not in ended.err and "\x07" not in ended.err


def test_doctor_tells_each_part_and_what_can_run(cli):
    ended = cli("doctor", "--json")
    found = json.loads(ended.out)
    assert {"toxiproxy", "postgres", "nginx", "engine", "namespaces"} <= {
        check["name"] for check in found["checks"]
    }
    for check in found["checks"]:
        assert check["status"] == ("ok" if check["ok"] else "missing")
    assert ended.code == (0 if any(found["backends"].values()) else 4)
    assert cli("doctor").out.count("backend: can") == sum(found["backends"].values())


def test_doctor_names_the_command_for_what_is_missing(cli, monkeypatch):
    monkeypatch.setenv("PAYDRILL_TOXIPROXY", "/nowhere/toxiproxy")
    checks = {check["name"]: check for check in json.loads(cli("doctor", "--json").out)["checks"]}
    assert not checks["toxiproxy"]["ok"]
    assert checks["toxiproxy"]["install"].endswith("-m paydrill.parts toxiproxy")
    assert "local backend: cannot run" in cli("doctor").out


def test_too_little_room_is_exit_4_before_the_start(cli, monkeypatch, tmp_path):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10, 9, 2_900_000_000))
    ended = cli("run", "steady", "--out", str(tmp_path / "new" / "reports"))
    assert ended.code == 4
    assert "2.9 GB free" in ended.err and "3 GB" in ended.err
    assert not (tmp_path / "new").exists()
