"""Two customers who happen to send the same key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class KeyCollision(Traffic):
    name = "key_collision"
    summary = "Two customers place and pay orders of their own at the same moment, with equal keys."
    signature = "an order of one's own under a key that another customer used"
    ends = "both paid, each their own order"
    # A shop that does not know who is asking cannot tell two customers' keys apart.
    needs = ("create", "pay", "read", "intent.bearer|intent.customer")
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        other = shopper.again(person=shopper.shop.maker.other_person(shopper.intent))
        other.keys = shopper.keys
        outcomes = shopper.together(shopper.create, other.create)
        paid = shopper.together(
            lambda: shopper.pay() if outcomes[0] == "ok" else outcomes[0],
            lambda: other.pay() if outcomes[1] == "ok" else outcomes[1],
        )
        other.end(paid[1])
        apart = outcomes == ["ok", "ok"] and shopper.intent.order_ref != other.intent.order_ref
        return Ended(paid[0], apart and paid == ["ok", "ok"], int(apart))


TRAFFIC = KeyCollision()
