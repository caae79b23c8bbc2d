-- What is sold, for how much by which rules, and how much of it there is.
-- `price` is in major units, as people write it (8.20); services/money.py turns it into minor units.
CREATE TABLE products (
    sku      text PRIMARY KEY,
    title    text          NOT NULL,
    price    numeric(12,3) NOT NULL CHECK (price > 0),
    currency text          NOT NULL CHECK (currency IN ('USD', 'EUR', 'CNY', 'JPY', 'KWD'))
);

-- Versions are only ever added; the newest that is active prices new orders, and each order keeps the one
-- that priced it. promotions: {code: {percent, skus or null for all}}. tax: {currency: basis points, included}.
CREATE TABLE price_rules (
    version     int PRIMARY KEY,
    active_from timestamptz NOT NULL,
    promotions  jsonb NOT NULL,
    tax         jsonb NOT NULL
);
CREATE TRIGGER price_rules_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON price_rules
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- initial = available + reserved + sold, always.
CREATE TABLE stock (
    sku       text PRIMARY KEY REFERENCES products,
    initial   bigint NOT NULL,
    available bigint NOT NULL CHECK (available >= 0),
    reserved  bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold      bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    CHECK (initial = available + reserved + sold)
);
