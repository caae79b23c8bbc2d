"""What the simulator is told on its command line."""

from __future__ import annotations

import pytest

from paydrill.errors import UsageError
from paydrill.psp import options


def test_certificates_that_are_not_there_are_said_before_anything_is_served(tmp_path):
    argv = ["--journal", str(tmp_path / "j"), "--webhook-ca", str(tmp_path / "ca.pem")]
    with pytest.raises(UsageError, match=r"--webhook-ca: there is no file .*ca\.pem"):
        options.read(argv)
    (tmp_path / "ca.pem").write_text("")
    assert options.read(argv).webhook_ca == tmp_path / "ca.pem"
