-- One order per (customer, client_ref), whatever idempotency keys a client makes up. Amounts: minor units.
CREATE TABLE orders (
    id          text PRIMARY KEY,
    customer    text   NOT NULL,
    client_ref  text   NOT NULL,
    state       text   NOT NULL CHECK (state IN ('created', 'reserved', 'payment_pending', 'payment_failed', 'paid',
                       'fulfilled', 'cancelled', 'refund_pending', 'partially_refunded', 'refunded', 'under_review')),
    total       bigint NOT NULL CHECK (total > 0),
    currency    text   NOT NULL,
    discount    bigint NOT NULL DEFAULT 0 CHECK (discount >= 0),
    tax         bigint NOT NULL DEFAULT 0 CHECK (tax BETWEEN 0 AND total),
    promo_code  text,
    price_rule  int    NOT NULL REFERENCES price_rules,
    stock_held  boolean NOT NULL DEFAULT true,
    held_since  timestamptz NOT NULL DEFAULT clock_timestamp(),
    pay_attempt int    NOT NULL DEFAULT 0,
    pay_token   text,
    pay_capture text   NOT NULL DEFAULT 'now' CHECK (pay_capture IN ('now', 'later')),
    -- Free text of the customer's, without card numbers (services/redact.py); never in answers, events or logs.
    note        text,
    ship_to     text,
    email       text,
    version     int    NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (customer, client_ref)
);
CREATE INDEX orders_in_payment ON orders (updated_at) WHERE state = 'payment_pending';
CREATE INDEX orders_holding_unpaid ON orders (held_since) WHERE stock_held AND state IN ('reserved', 'payment_failed');

CREATE TABLE order_items (
    order_id   text   NOT NULL REFERENCES orders,
    sku        text   NOT NULL REFERENCES products,
    qty        bigint NOT NULL CHECK (qty > 0),
    unit_price bigint NOT NULL,
    discount   bigint NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND unit_price * qty),
    PRIMARY KEY (order_id, sku)
);

-- Every transition with what caused it. `seq` is the order's version after the transition.
CREATE TABLE order_history (
    order_id   text NOT NULL REFERENCES orders,
    seq        int  NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    cause      text NOT NULL,
    cause_ref  text,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, seq)
);
