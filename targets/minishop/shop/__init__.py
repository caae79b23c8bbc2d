"""A small shop: carts become purchases, purchases are paid by card. Flask over SQLite, paid through Stripe.

A customer has no account: who knows a purchase's number may look at it and pay it.
"""
