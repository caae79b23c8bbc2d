"""A real Locust child against a real HTTP server."""

from __future__ import annotations


def test_a_checkout_creates_pays_and_reads_back(harness, shop):
    history = harness.run(rate_per_s=40, duration_s=1.0)
    ended = history.of("done")
    assert len(ended) >= 20
    assert {row["outcome"] for row in ended} == {"ok"}
    for intent in history.of("intent"):
        kinds = [row["op_kind"] for row in history.of("invoke", intent=intent["intent"])]
        assert kinds == ["create", "pay", "read"]
    assert history.of("end")[0]["reason"] == "done"
