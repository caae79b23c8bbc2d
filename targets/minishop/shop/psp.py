"""The PSP, through the official Stripe SDK (the synchronous one). Nothing here stores or decides.

A payment's id is its idempotency key in every call that could charge it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import requests
import stripe
from requests.adapters import HTTPAdapter

from shop.catalogue import CURRENCY
from shop.outcomes import Charge, Declined, Paid, Unknown
from shop.store import Payment

PAGE = 100
SURE_AFTER_S = 5.0
"""Only then does a payment that is missing from the PSP's list prove anything."""

Answer = TypeVar("Answer")


class Psp:
    """`call_s` limits each call as a whole; `callers` is how many may be under way."""

    def __init__(self, url: str, api_key: str, call_s: float, callers: int) -> None:
        stripe.enable_telemetry = False
        http = stripe.RequestsClient(timeout=call_s, session=_session(callers))
        client = stripe.StripeClient(
            api_key, base_addresses={"api": url}, max_network_retries=0, http_client=http
        )
        self._api = client.v1
        self._call_s = call_s
        self._pool = ThreadPoolExecutor(callers, "psp")

    def charge(self, payment: Payment) -> Charge:
        """Charge the card, or learn what became of it: asked again, the PSP does not charge again."""
        try:
            made = self._in_time(
                lambda: self._api.payment_intents.create(
                    {
                        "amount": payment.cents,
                        "currency": CURRENCY.lower(),
                        "payment_method": payment.card,
                        "capture_method": "automatic",
                        "confirm": True,
                        "metadata": {"purchase": payment.purchase, "payment": payment.id},
                    },
                    {"idempotency_key": payment.id},
                )
            )
        except stripe.CardError as error:
            return Declined(_word(error))
        except stripe.InvalidRequestError as error:
            return Declined(_word(error))  # refused before anything was done
        except stripe.StripeError as error:
            return self._find(payment) if _failure_is_kept(error) else _unknown(error)
        return self._of_intent(made)

    def look(self, payment: Payment) -> Charge:
        """What became of a payment of which the PSP told us its own id."""
        assert payment.psp_id is not None
        psp_id = payment.psp_id
        try:
            return self._of_intent(self._in_time(lambda: self._api.payment_intents.retrieve(psp_id)))
        except stripe.StripeError as error:
            return _unknown(error)

    def _find(self, payment: Payment) -> Charge:
        """Look for it in the PSP's list: its key holds a failure that says nothing of the charge."""
        query: stripe.params.PaymentIntentListParams = {
            "limit": PAGE,
            "created": {"gte": int(payment.made_at) - 60},
        }
        try:
            while (page := self._page(query)).data:
                for made in page.data:
                    if made.metadata and made.metadata.to_dict().get("payment") == payment.id:
                        return self._of_intent(made)
                if not page.has_more:
                    break
                query = {**query, "starting_after": page.data[-1].id}
        except stripe.StripeError as error:
            return _unknown(error)
        if time.time() - payment.made_at < SURE_AFTER_S:
            return Unknown("not in the list yet", reached=True)
        return Declined("failed_at_psp")

    def _page(self, query: stripe.params.PaymentIntentListParams) -> stripe.ListObject[stripe.PaymentIntent]:
        return self._in_time(lambda: self._api.payment_intents.list(query))

    def _of_intent(self, made: stripe.PaymentIntent) -> Charge:
        match made.status:
            case "succeeded":
                return Paid(made.id)
            case "processing":
                return Unknown("processing", reached=True, psp_id=made.id)
            case "canceled" | "requires_payment_method":
                return Declined(made.status)
            case _:
                return self._cancelled(made.id, made.status)

    def _cancelled(self, psp_id: str, status: str) -> Charge:
        """The shop has no page for challenges: what waits for one is called off, so that it cannot charge."""
        try:
            done = self._in_time(lambda: self._api.payment_intents.cancel(psp_id))
        except stripe.StripeError as error:
            return Unknown(_word(error), reached=True, psp_id=psp_id)
        if done.status == "canceled":
            return Declined(status)
        return Unknown(done.status, reached=True, psp_id=psp_id)

    def _in_time(self, call: Callable[[], Answer]) -> Answer:
        """The client's own time-out is for each read: an answer that trickles would never end.

        Raises StripeError, also when the time is over. A call that has not begun by then never will.
        """
        future = self._pool.submit(call)
        try:
            return future.result(self._call_s)
        except TimeoutError as late:
            future.cancel()
            said = f"no answer within {self._call_s:g} s"
            raise stripe.APIConnectionError(said) from late  # type: ignore[no-untyped-call]


def _session(callers: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # the SDK would send even loopback calls to HTTP_PROXY
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=callers)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _unknown(error: stripe.StripeError) -> Unknown:
    return Unknown(_word(error), reached=not isinstance(error, stripe.APIConnectionError))


def _failure_is_kept(error: stripe.StripeError) -> bool:
    """The PSP repeats a stored failure: asking again would give the same for ever."""
    return (error.headers or {}).get("Idempotent-Replayed") == "true"


def _word(error: stripe.StripeError) -> str:
    """The PSP's code; for most statuses only the error object has it."""
    code = error.code or (error.error.code if error.error is not None else None)
    return str(code or type(error).__name__)
