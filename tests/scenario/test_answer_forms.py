"""`answer:` in a target file: where facts stand, and in which form."""

from __future__ import annotations

import pytest

from paydrill.target_client import read_client
from paydrill.yaml_fields import Field
from paydrill.yaml_source import Mistakes, parse_yaml

CLIENT = """\
requests:
  create: {{method: POST, path: /o, answer: {answer}}}
  pay: {{method: POST, path: /p}}
  read: {{method: GET, path: /o}}
outcomes:
  - {{status: 200, outcome: ok}}
"""


def read(answer):
    mistakes = Mistakes()
    root = parse_yaml(CLIENT.format(answer=answer).encode(), "target.yaml", mistakes)
    return read_client(Field(root, "client", mistakes)), [problem.message for problem in mistakes.problems]


def test_an_amount_may_be_declared_as_a_decimal():
    client, problems = read("{amount: cart.total | decimal, currency: cart.currency}")
    assert not problems
    assert client.requests["create"].answer["amount"] == "cart.total | decimal"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("{amount: total | decimal}", "a decimal amount means nothing without its currency"),
        ("{amount: total | cents, currency: currency}", "only as total | decimal"),
        ("{said: state | decimal, currency: currency}", "only an amount is read in another form"),
    ],
)
def test_another_form_is_a_mistake(answer, told):
    _, problems = read(answer)
    assert any(told in problem for problem in problems), problems
