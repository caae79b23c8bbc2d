"""Customers, payment methods, webhook endpoints, search, balance and the settlement file."""

from __future__ import annotations

import csv
import io
import time
import urllib.error
import urllib.request

import pytest
import stripe

from paydrill.psp import search, settlement
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import Refusal
from paydrill.psp.settlement import Account, Movement
from paydrill.psp.state import Endpoint, Intent
from paydrill.psp.terms import Terms

# -- customers and payment methods -----------------------------------------------------------------


def test_a_customer_is_kept_and_changed(sdk):
    made = sdk.v1.customers.create(
        {"name": "Anna", "email": "anna@tea.test", "address": {"city": "Ulm"}, "metadata": {"a": "1"}}
    )
    changed = sdk.v1.customers.update(made.id, {"name": "Anne", "metadata": {"b": "2"}})
    assert (changed.name, changed.email, changed.metadata.to_dict()) == (
        "Anne",
        "anna@tea.test",
        {"a": "1", "b": "2"},
    )
    assert sdk.v1.customers.retrieve(made.id).address.city == "Ulm"
    assert [one.id for one in sdk.v1.customers.list({"email": "anna@tea.test"}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_none'") as raised:
        sdk.v1.customers.retrieve("cus_none")
    assert raised.value.http_status == 404


def test_a_payment_names_its_customer_or_is_refused(sdk, token, charge_of):
    customer = sdk.v1.customers.create({"name": "A"})
    paid = sdk.v1.payment_intents.create(charge_of(token, customer=customer.id, expand=["customer"]))
    assert paid.customer.name == "A"
    listed = sdk.v1.payment_intents.list({"customer": customer.id}).data
    assert [one.id for one in listed] == [paid.id]
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.payment_intents.create(charge_of(token, customer="cus_none"))
    assert (raised.value.code, raised.value.param) == ("resource_missing", "customer")


def test_an_attached_method_is_charged_again_with_its_customer_only(sdk, charge_of):
    anna, bert = (sdk.v1.customers.create({"name": name}).id for name in ("Anna", "Bert"))
    method = sdk.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    assert sdk.v1.payment_methods.attach(method.id, {"customer": anna}).customer == anna
    assert [one.id for one in sdk.v1.payment_methods.list({"customer": anna}).data] == [method.id]
    for _ in range(2):
        assert sdk.v1.payment_intents.create(charge_of(method.id, customer=anna)).status == "succeeded"
    for wrong in ({}, {"customer": bert}):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            sdk.v1.payment_intents.create(charge_of(method.id, **wrong))
        assert raised.value.param == "payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        sdk.v1.payment_methods.attach(method.id, {"customer": bert})
    assert sdk.v1.payment_methods.detach(method.id).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        sdk.v1.payment_intents.create(charge_of(method.id, customer=anna))
    with pytest.raises(stripe.InvalidRequestError, match="not attached to a customer"):
        sdk.v1.payment_methods.detach(method.id)


def test_a_detached_method_is_refused_before_anything_exists_and_its_key_keeps_that(sdk, charge_of):
    customer = sdk.v1.customers.create({"name": "A"}).id
    method = sdk.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    sdk.v1.payment_methods.detach(method)
    count = len(list(sdk.v1.payment_intents.list({"limit": 100}).auto_paging_iter()))
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            sdk.v1.payment_intents.create(charge_of(method), {"idempotency_key": f"k-{method}"})
    assert raised.value.headers["Idempotent-Replayed"] == "true"
    assert len(list(sdk.v1.payment_intents.list({"limit": 100}).auto_paging_iter())) == count


def test_a_harness_token_is_a_payment_method_without_being_created(sdk, token, charge_of):
    saved = sdk.v1.payment_methods.retrieve(f"{token}_saved", {"expand": ["customer"]})
    assert saved.customer.id == f"cus_pd_{token[6:]}"
    assert sdk.v1.payment_methods.retrieve(token).customer is None
    customer = sdk.v1.customers.create({"name": "A", "payment_method": token}).id
    assert sdk.v1.payment_methods.retrieve(token).customer == customer
    # The harness's own are charged by anybody: the charge must be tied to its intent, whatever happens.
    assert sdk.v1.payment_intents.create(charge_of(token)).payment_method == token


def test_a_card_is_saved_for_its_customer_when_that_was_asked_for(sdk, token, charge_of):
    customer = sdk.v1.customers.create({"name": "A"}).id
    for card in (token, "pm_card_visa"):
        saved = charge_of(card, customer=customer, setup_future_usage="off_session")
        method = sdk.v1.payment_intents.create(saved).payment_method
        assert sdk.v1.payment_methods.retrieve(method).customer == customer
        sdk.v1.payment_intents.create(charge_of(method, customer=customer, off_session=True))
    with pytest.raises(stripe.CardError) as raised:
        sdk.v1.payment_intents.create({**saved, "payment_method": "pm_card_chargeDeclined"})
    method = raised.value.error.payment_intent.last_payment_error.payment_method.id
    assert sdk.v1.payment_methods.retrieve(method).customer is None


def test_saved_cards_are_charged_again_where_others_are_used_up(simulator, run_simulator, charge_of):
    simulator.profile = "strict_single_use"
    with run_simulator(simulator):
        sdk = simulator.client()
        for _ in range(2):
            sdk.v1.payment_intents.create(charge_of("pm_pd_1_saved"))
        sdk.v1.customers.create({"payment_method": "pm_pd_2"})
        for _ in range(2):
            sdk.v1.payment_intents.create(charge_of("pm_pd_2"))
        sdk.v1.payment_intents.create(charge_of("pm_pd_3"))
        with pytest.raises(stripe.InvalidRequestError, match="previously used"):
            sdk.v1.payment_intents.create(charge_of("pm_pd_3"))


def test_a_card_number_leaves_no_trace(sdk, shared, charge_of):
    for number in ("4000000000000002", "4929420573595709"):
        card = {"number": number, "exp_month": 1, "exp_year": 2040, "cvc": "123"}
        try:
            made = sdk.v1.payment_methods.create({"type": "card", "card": card})
            assert (made.card.last4, number) == ("0002", "4000000000000002")
            with pytest.raises(stripe.CardError):
                sdk.v1.payment_intents.create(charge_of(made.id))
        except stripe.CardError as error:
            assert error.code == "incorrect_number" and number not in error.http_body
        assert number.encode() not in shared.journal.read_bytes()


# -- webhook endpoints -----------------------------------------------------------------------------


def test_endpoints_are_kept_until_they_are_deleted(simulator, run_simulator):
    with run_simulator(simulator):
        sdk = simulator.client()
        made = sdk.v1.webhook_endpoints.create(
            {"url": "http://127.0.0.1:1/hook", "enabled_events": ["charge.succeeded", "charge.failed"]}
        )
        assert made.secret.startswith("whsec_") and made.status == "enabled"
        assert "secret" not in sdk.v1.webhook_endpoints.retrieve(made.id).to_dict()
        off = sdk.v1.webhook_endpoints.update(made.id, {"disabled": True, "enabled_events": ["*"]})
        assert (off.status, off.enabled_events) == ("disabled", ["*"])
        simulator.kill()
        simulator.start()
        sdk = simulator.client()
        assert [one.id for one in sdk.v1.webhook_endpoints.list().data] == [made.id]
        assert sdk.v1.webhook_endpoints.delete(made.id).deleted
        assert sdk.v1.webhook_endpoints.list().data == []
        for call in (sdk.v1.webhook_endpoints.retrieve, sdk.v1.webhook_endpoints.delete):
            with pytest.raises(stripe.InvalidRequestError) as raised:
                call(made.id)
            assert raised.value.http_status == 404


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"url": "hook", "enabled_events": ["*"]}, "url"),
        ({"url": "http://a.test/"}, "enabled_events"),
        ({"url": "http://a.test/", "enabled_events": ["charge.sneezed"]}, "enabled_events"),
    ],
)
def test_an_endpoint_needs_a_url_and_known_events(sdk, params, param):
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.webhook_endpoints.create(params)
    assert raised.value.param == param


def test_the_ledger_names_who_is_to_be_told():
    ledger = Ledger()
    told = Endpoint("we_1", 1, 1, "http://a.test/", ("charge.failed",), "whsec_1")
    all_ = Endpoint("we_2", 2, 1, "http://b.test/", ("*",), "whsec_2")
    off = Endpoint("we_3", 3, 1, "http://c.test/", ("*",), "whsec_3", enabled=False)
    gone = Endpoint("we_4", 4, 1, "http://d.test/", ("*",), "whsec_4", deleted=True)
    for one in (told, all_, off, gone):
        ledger.endpoints.put(one)
    assert ledger.endpoints_for("charge.failed") == (told, all_)
    assert ledger.endpoints_for("charge.succeeded") == (all_,)


# -- search ----------------------------------------------------------------------------------------

INTENT = Intent(
    "pi_1", 1, 1000, 500, "usd", "automatic", "succeeded", metadata={"order": "o'1", "n": "7"},
    echoed={"customer": "cus_1"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        (r"metadata['order']:'o\'1'", True),
        ('metadata["order"]:"o\'1"', True),
        ("metadata['order']:'o2'", False),
        ("metadata['n']:7", True),
        ("metadata['nothing']:null", True),
        ("-metadata['nothing']:null", False),
        ("status:'succeeded'", True),
        ("-status:'succeeded'", False),
        ("status:'succeeded' AND amount>499 AND amount<=500", True),
        ("status:'succeeded' AND amount>500", False),
        ("currency:'usd' and customer:'cus_1' AND created>=1000", True),
        (" amount : 500 ", True),
    ],
)
def test_the_search_language(query, fits):
    assert search.parse(query)(INTENT) is fits


@pytest.mark.parametrize(
    "query",
    [
        "",
        "status",
        "status:'a' OR status:'b'",
        "status:'a' status:'b'",
        "colour:'red'",
        "amount:'500'",
        "status>'a'",
        "metadata:'a'",
        "status:'a",
        "status:'a' AND",
    ],
)
def test_what_is_no_query_is_refused(query):
    with pytest.raises(Refusal) as raised:
        search.parse(query)
    assert (raised.value.status, raised.value.param) == (400, "query")


def test_search_finds_by_metadata_newest_first_in_pages(sdk, token, charge_of):
    made = [sdk.v1.payment_intents.create(charge_of(token, metadata={"cart": token})).id for _ in range(5)]
    sdk.v1.payment_intents.create({"amount": 100, "currency": "usd", "metadata": {"cart": token}})
    query = {"query": f"metadata['cart']:'{token}' AND status:'succeeded'", "limit": 2}
    page = sdk.v1.payment_intents.search(query)
    assert [one.id for one in page.data] == made[:2:-1] and page.has_more
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]
    assert len(sdk.v1.charges.search({"query": f"metadata['cart']:'{token}'"}).data) == 5


def test_search_is_late_and_lists_are_not(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"lookup_lag_s": 3600}
    with run_simulator(simulator), simulator.control() as psp:
        sdk = simulator.client()
        paid = sdk.v1.payment_intents.create(charge_of("pm_pd_1", metadata={"cart": "c1"}))
        query = {"query": "metadata['cart']:'c1'"}
        assert sdk.v1.payment_intents.search(query).data == []
        assert [one.id for one in sdk.v1.payment_intents.list().data] == [paid.id]
        psp.behave({"lookup_lag_s": 0.5})
        found = wait_until(lambda: sdk.v1.payment_intents.search(query).data, "it is old enough to be found")
        assert [one.id for one in found] == [paid.id]


# -- the merchant's account ------------------------------------------------------------------------


def settlement_file(simulator, day: str) -> tuple[str, list[dict]]:
    request = urllib.request.Request(
        f"{simulator.url}/v1/settlements/{day}.csv", headers={"Authorization": "Bearer sk_test_drill"}
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
        return answer.headers["Content-Type"], list(csv.DictReader(io.StringIO(text)))


def test_the_settlement_file_has_what_moved_that_day_in_order(
    simulator, run_simulator, charge_of, wait_until
):
    simulator.behaviour = {"fee_bp": 290, "refund_fail_s": 0.2, "refund_pending_s": 3600, "dispute_s": 0.2}
    with run_simulator(simulator), simulator.control() as psp:
        sdk = simulator.client()
        before = time.gmtime()
        paid = sdk.v1.payment_intents.create(charge_of("pm_pd_1_refundfail", 1999))
        refund = sdk.v1.refunds.create({"payment_intent": paid.id, "amount": 500})
        wait_until(lambda: psp.status().later == 0, "the refund has failed")
        held = sdk.v1.payment_intents.create(
            charge_of("pm_pd_2", 1000, currency="eur", capture_method="manual")
        )
        for _ in range(2):
            sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 100, "final_capture": False})
        sdk.v1.payment_intents.cancel(held.id)
        other = sdk.v1.payment_intents.create(charge_of("pm_pd_3_refundpending", 300))
        sdk.v1.refunds.create({"payment_intent": other.id})
        lost = sdk.v1.payment_intents.create(charge_of("pm_pd_4_disputed", 700))
        wait_until(lambda: psp.status().later == 1, "the chargeback")
        if time.gmtime().tm_yday != before.tm_yday:
            pytest.skip("midnight passed while it ran")
        dispute = sdk.v1.disputes.list().data[0]
        kind, rows = settlement_file(simulator, time.strftime("%Y-%m-%d", before))
        assert kind == "text/csv; charset=utf-8"
        shown = [
            (row["type"], row["id"], row["payment_intent"], row["amount"], row["fee"], row["net"])
            for row in rows
        ]
        assert shown == [
            ("charge", paid.latest_charge, paid.id, "1999", "58", "1941"),
            ("refund", refund.id, paid.id, "-500", "0", "-500"),
            ("refund", refund.id, paid.id, "500", "0", "500"),
            ("charge", held.latest_charge, held.id, "100", "3", "97"),
            ("charge", held.latest_charge, held.id, "100", "3", "97"),
            ("charge", other.latest_charge, other.id, "300", "9", "291"),
            ("charge", lost.latest_charge, lost.id, "700", "20", "680"),
            ("dispute", dispute.id, lost.id, "-700", "0", "-700"),
        ]
        assert [row["charge"] for row in rows[:3]] == [paid.latest_charge] * 3
        balance = {one.currency: one.amount for one in sdk.v1.balance.retrieve().available}
        assert balance == {
            currency: sum(int(row["net"]) for row in rows if row["currency"] == currency)
            for currency in ("usd", "eur")
        }
        simulator.kill()
        simulator.start()
        assert settlement_file(simulator, time.strftime("%Y-%m-%d", before))[1] == rows
        assert settlement_file(simulator, "1999-12-31")[1] == []


def test_settlement_files_have_a_day_and_need_a_key(shared):
    for name in ("2026-13-01.csv", "2026-11-24", "x.csv", "2026-11-24.csv.gz"):
        request = urllib.request.Request(
            f"{shared.url}/v1/settlements/{name}", headers={"Authorization": "Bearer sk_test_drill"}
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)
        assert raised.value.code == 404
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{shared.url}/v1/settlements/2026-11-24.csv")
    assert raised.value.code == 401


def test_movements_belong_to_their_utc_day():
    account = Account()
    late = Movement("charge", "ch_1", "pi_1", "ch_1", 100, "usd", 0, 1_700_006_399)
    early = Movement("charge", "ch_2", "pi_2", "ch_2", 100, "usd", 0, 1_700_006_400)
    for one in (late, early):
        account.take(one)
    assert account.of_day("2023-11-14") == (late,)
    assert account.of_day("2023-11-15") == (early,)
    assert settlement.file_of((late,)).splitlines()[1] == b"charge,ch_1,pi_1,ch_1,100,usd,0,100,1700006399"


@pytest.mark.parametrize(
    ("amount", "basis_points", "fee"),
    [(1999, 290, 58), (0, 290, 0), (100, 50, 1), (99, 50, 0), (1000, 0, 0), (1, 10_000, 1)],
)
def test_a_fee_is_whole_minor_units_half_up(amount, basis_points, fee):
    assert Terms(fee_bp=basis_points).fee(amount) == fee
