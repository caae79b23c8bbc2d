-- What is sold, and how much of it there is. Amounts are integer minor units.
CREATE TABLE products (
    sku        text PRIMARY KEY,
    title      text   NOT NULL,
    unit_price bigint NOT NULL CHECK (unit_price > 0),
    currency   text   NOT NULL CHECK (currency ~ '^[A-Z]{3}$')
);

-- initial = available + reserved + sold, always.
CREATE TABLE stock (
    sku       text PRIMARY KEY REFERENCES products,
    initial   bigint NOT NULL,
    available bigint NOT NULL CHECK (available >= 0),
    reserved  bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold      bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    CHECK (initial = available + reserved + sold)
);
