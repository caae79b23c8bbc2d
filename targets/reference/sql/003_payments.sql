-- One row per attempt to have an order paid. `psp_key` is stored before the PSP is called and never changes.
CREATE TABLE payments (
    id            text PRIMARY KEY,
    order_id      text   NOT NULL REFERENCES orders,
    attempt       int    NOT NULL,
    amount        bigint NOT NULL CHECK (amount > 0),
    currency      text   NOT NULL,
    token         text   NOT NULL,
    state         text   NOT NULL CHECK (state IN ('submitted', 'unknown', 'pending_async', 'captured', 'declined',
                         'failed', 'partially_refunded', 'refunded')),
    psp_id        text,
    psp_key       text   NOT NULL UNIQUE,
    decline_code  text,
    refunded      bigint NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    version       int    NOT NULL DEFAULT 2,
    checks        int    NOT NULL DEFAULT 0,
    submitted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_check_at timestamptz NOT NULL,
    UNIQUE (order_id, attempt)
);
-- At most one payment of an order may be under way or hold money.
CREATE UNIQUE INDEX payments_one_live ON payments (order_id) WHERE state NOT IN ('declined', 'failed');
CREATE UNIQUE INDEX payments_psp_id ON payments (psp_id) WHERE psp_id IS NOT NULL;
CREATE INDEX payments_due ON payments (next_check_at) WHERE state IN ('submitted', 'unknown', 'pending_async');

CREATE TABLE payment_history (
    payment_id text NOT NULL REFERENCES payments,
    seq        int  NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    cause      text NOT NULL,
    cause_ref  text,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (payment_id, seq)
);

-- kind customer: asked for through the API. kind surplus: a charge that no order may keep is given back.
CREATE TABLE refunds (
    id            text PRIMARY KEY,
    kind          text   NOT NULL CHECK (kind IN ('customer', 'surplus')),
    order_id      text REFERENCES orders,
    payment_id    text REFERENCES payments,
    psp_payment   text   NOT NULL,
    amount        bigint NOT NULL CHECK (amount > 0),
    currency      text   NOT NULL,
    reason        text   NOT NULL,
    state         text   NOT NULL CHECK (state IN ('requested', 'submitted', 'unknown', 'pending', 'succeeded', 'failed')),
    psp_id        text,
    psp_key       text   NOT NULL UNIQUE,
    version       int    NOT NULL DEFAULT 1,
    checks        int    NOT NULL DEFAULT 0,
    requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_check_at timestamptz NOT NULL,
    CHECK (kind = 'surplus' OR (order_id IS NOT NULL AND payment_id IS NOT NULL))
);
CREATE UNIQUE INDEX refunds_one_surplus ON refunds (psp_payment) WHERE kind = 'surplus';
CREATE INDEX refunds_of_order ON refunds (order_id);
CREATE INDEX refunds_due ON refunds (next_check_at) WHERE state NOT IN ('succeeded', 'failed');

CREATE TABLE refund_history (
    refund_id  text NOT NULL REFERENCES refunds,
    seq        int  NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    cause      text NOT NULL,
    cause_ref  text,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (refund_id, seq)
);
