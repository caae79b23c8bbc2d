"""Who buys: a pool of invented people, made once from the seed, so that an intent costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from paydrill.callers import bearer

POOL_SIZE = 200
OPERATORS = 3


@dataclass(frozen=True, slots=True)
class Customer:
    """`id` is what the target knows the customer by, `bearer` the token that proves it (callers.py)."""

    id: str
    name: str
    email: str
    address: str
    bearer: str = ""


def customers(seed: int, count: int = POOL_SIZE, secret: str = "") -> tuple[Customer, ...]:
    """`count` different people; the same for the same seed and version of Faker."""
    from faker import Faker  # a quarter of a second, and only the load itself needs people

    fake = Faker("en_US")
    fake.seed_instance(f"{seed}:customers")
    return tuple(
        Customer(
            id=f"cus_{number}",
            name=fake.name(),
            email=f"{fake.user_name()}.{number}@example.com",
            address=fake.street_address() + ", " + fake.city(),
            bearer=bearer(secret, "customer", f"cus_{number}"),
        )
        for number in range(1, count + 1)
    )


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody of the shop's support, with the role admin."""

    id: str
    bearer: str = ""


def operators(secret: str = "", count: int = OPERATORS) -> tuple[Operator, ...]:
    names = [f"support_{number}" for number in range(1, count + 1)]
    return tuple(Operator(name, bearer(secret, "admin", name)) for name in names)
