"""Amounts as Stripe takes them: whole minor units, with each currency's own rules (pure)."""

from __future__ import annotations

from paydrill.psp.refusals import bad_parameter

_CODES = """
aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf
chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg
huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk
mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub
rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd
vuv wst xaf xcd xof xpf yer zar zmw
"""
CURRENCIES = frozenset(_CODES.split())
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
MAX_AMOUNT = 99_999_999
_MINIMUM = {
    "usd": 50,
    "eur": 50,
    "cad": 50,
    "aud": 50,
    "chf": 50,
    "gbp": 30,
    "jpy": 50,
    "hkd": 400,
    "mxn": 1000,
}


def currency_of(text: str) -> str:
    """The wire form (lower case). Raises Refusal."""
    code = text.lower()
    if code not in CURRENCIES:
        raise bad_parameter(f"Invalid currency: {code}.", "currency")
    return code


def check_charge(amount: int, currency: str) -> None:
    """Raises Refusal unless `amount` may be charged."""
    check_part(amount, currency, "amount")
    least = _MINIMUM.get(currency, 1)
    if amount < least:
        message = f"Amount must be at least {least} in the smallest unit of {currency}."
        raise bad_parameter(message, "amount", "amount_too_small")


def check_part(amount: int, currency: str, param: str) -> None:
    """Raises Refusal unless `amount` may be captured or refunded."""
    if amount < 1:
        raise bad_parameter(
            "This value must be greater than or equal to 1.", param, "parameter_invalid_integer"
        )
    if amount > MAX_AMOUNT:
        message = f"Amount must be no more than {MAX_AMOUNT} in the smallest unit of {currency}."
        raise bad_parameter(message, param, "amount_too_large")
    if currency in THREE_DECIMALS and amount % 10:
        message = f"Invalid amount: {currency} amounts must be divisible by 10."
        raise bad_parameter(message, param, "parameter_invalid_integer")
