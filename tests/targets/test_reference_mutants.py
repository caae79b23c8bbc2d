"""Each mutant applies to the source as it is, and does the harm that it is named after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paydrill.mutants import apply_mutant, find_mutant, mutants_of

SOURCE = Path(__file__).parents[2] / "targets" / "reference"


@pytest.fixture
def mutated(tmp_path, start_stack):
    def start(name, payments=1):
        mutant = find_mutant(SOURCE, name)
        apply_mutant(SOURCE, mutant.patch, tmp_path / name)
        return start_stack(tmp_path / name, payments)

    return start


def test_the_mutants_of_the_reference_stack():
    mutants = mutants_of(SOURCE)
    assert [mutant.name for mutant in mutants] == ["M01", "M03", "M09", "M21"]
    assert all(mutant.title and mutant.breaks and mutant.scenarios for mutant in mutants)
    assert all(path.startswith("services/") for mutant in mutants for path in mutant.files)


@pytest.mark.parametrize("name", ["M01", "M03"])
def test_a_retry_with_another_key_charges_again(mutated, name):
    with mutated(name) as stack:
        order, token = stack.create("lost"), next(stack.tokens)
        stack.psp.arm(action="create", effect="capture", token=token, max_s=1.5)
        stack.pay(order, token, "lost-pay")
        assert stack.effects(token, "capture") == [435, 435]


def test_a_payment_that_is_not_written_down_first_is_made_twice_after_a_death(mutated):
    with mutated("M09", payments=2) as stack:
        order, token = stack.create("killed"), next(stack.tokens)
        stack.psp.arm(action="create", effect="capture", token=token, max_s=20)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(stack.pay, order, token, "killed-pay")
            held = stack.psp.wait_held(10)
            assert held is not None
            asking = [node for node in stack.nodes.values() if node.is_connected_to(stack.psp_port)]
            next(node for node in asking if node.name.startswith("payments")).kill()
            assert first.result().status == 200
        assert stack.effects(token, "capture") == [435, 435]


def test_a_lost_answer_taken_for_a_failure_is_a_lie_and_is_paid_again(mutated):
    with mutated("M21") as stack:
        order, token, other = stack.create("lied"), next(stack.tokens), next(stack.tokens)
        stack.psp.arm(action="create", effect="capture", token=token, max_s=8)
        assert stack.pay(order, token, "lied-1").status == 402
        assert stack.effects(token, "capture") == [435]
        assert stack.pay(order, other, "lied-2").status == 200
        assert stack.effects(other, "capture") == [435]
