"""docs/scenarios.md says what is: its example loads, and it names every key, fault and behaviour."""

from __future__ import annotations

import re
from pathlib import Path

from paydrill.faults import known
from paydrill.load import classes
from paydrill.psp.rules import NUMBERS
from paydrill.scenario_file import KEYS, PSP_SHARES, SLOS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text()


def test_the_example_is_a_scenario(load):
    example = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    assert load(example[1]).name == "psp-response-lost"


def test_every_word_of_a_scenario_is_told():
    for word in (*KEYS, *known(), *classes.known(), *PSP_SHARES, *NUMBERS, *SLOS):
        assert f"`{word}" in TEXT, f"docs/scenarios.md does not tell `{word}`"


def test_the_table_of_faults_names_every_key():
    from paydrill.fault_fields import specs_of

    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", TEXT.partition("## Faults")[2], re.MULTILINE))
    for name, fault in known().items():
        assert set(re.findall(r"`(\w+)`", rows[name])) == {spec.key for spec in specs_of(fault)}
