-- A key is claimed in the transaction that writes down what is intended. Its holder may die: after
-- `lease_until` the next request with the same key resumes the work at `resource`, it never starts anew.
CREATE TABLE idempotency (
    caller      text NOT NULL,
    route       text NOT NULL,
    key         text NOT NULL,
    fingerprint text NOT NULL,
    state       text NOT NULL CHECK (state IN ('in_progress', 'completed')),
    resource    text,
    lease_until timestamptz NOT NULL,
    status      int,
    body        text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (caller, route, key),
    CHECK (state = 'in_progress' OR (status IS NOT NULL AND body IS NOT NULL))
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- A refund that its asker has named is made once, whatever keys it comes with.
CREATE TABLE refund_refs (
    order_id   text   NOT NULL REFERENCES orders,
    refund_ref text   NOT NULL,
    refund_id  text   NOT NULL REFERENCES refunds,
    amount     bigint NOT NULL,
    PRIMARY KEY (order_id, refund_ref)
);
