-- One row per attempt to have an order paid. `psp` and `psp_key` are stored before the PSP is called and never
-- change once something was sent. `amount` is what the customer is charged: a partial capture lowers it, `authorised`
-- keeps what was held. `op` is the operation under way on a payment that the PSP knows (null: none): its key is
-- `<id>:<op>:<op_seq>`, stored before the call too.
CREATE TABLE payments (
    id            text PRIMARY KEY,
    order_id      text   NOT NULL REFERENCES orders,
    attempt       int    NOT NULL,
    psp           text   NOT NULL DEFAULT 'psp',
    capture       text   NOT NULL DEFAULT 'now' CHECK (capture IN ('now', 'later')),
    amount        bigint NOT NULL CHECK (amount > 0),
    authorised    bigint,
    currency      text   NOT NULL,
    token         text   NOT NULL,
    state         text   NOT NULL CHECK (state IN ('submitted', 'unknown', 'requires_action', 'pending_async',
                         'authorised', 'capturing', 'captured', 'partially_refunded', 'refunded', 'charged_back',
                         'voiding', 'voided', 'expired', 'declined', 'failed')),
    psp_id        text,
    psp_key       text   NOT NULL UNIQUE,
    op            text CHECK (op IN ('capture', 'void', 'cancel')),
    op_seq        int    NOT NULL DEFAULT 0,
    op_key        text UNIQUE,
    op_amount     bigint,
    decline_code  text,
    refunded      bigint NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    version       int    NOT NULL DEFAULT 2,
    checks        int    NOT NULL DEFAULT 0,
    submitted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_check_at timestamptz NOT NULL,
    UNIQUE (order_id, attempt),
    CHECK ((op IS NULL) = (op_key IS NULL))
);
-- At most one payment of an order may be under way or hold money.
CREATE UNIQUE INDEX payments_one_live ON payments (order_id)
    WHERE state NOT IN ('declined', 'failed', 'voided', 'expired');
CREATE UNIQUE INDEX payments_psp_id ON payments (psp_id) WHERE psp_id IS NOT NULL;
CREATE INDEX payments_due ON payments (next_check_at)
    WHERE state IN ('submitted', 'unknown', 'requires_action', 'pending_async', 'authorised', 'capturing', 'voiding');

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

-- kind customer: asked for through the API. kind psp: the PSP has made it by itself. kind surplus: a charge that no
-- order may keep is given back. kind release: a hold that no order may keep is let go. `psp` is that of the payment
-- where there is one.
CREATE TABLE refunds (
    id            text PRIMARY KEY,
    kind          text   NOT NULL CHECK (kind IN ('customer', 'psp', 'surplus', 'release')),
    order_id      text REFERENCES orders,
    payment_id    text REFERENCES payments,
    psp           text,
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
    CHECK (kind <> 'customer' OR (order_id IS NOT NULL AND payment_id IS NOT NULL)),
    CHECK (payment_id IS NOT NULL OR psp IS NOT NULL)
);
CREATE UNIQUE INDEX refunds_one_surplus ON refunds (psp_payment) WHERE kind = 'surplus' AND state <> 'failed';
CREATE UNIQUE INDEX refunds_one_release ON refunds (psp_payment) WHERE kind = 'release' AND state <> 'failed';
CREATE UNIQUE INDEX refunds_psp_id ON refunds (psp_id) WHERE psp_id IS NOT NULL;
CREATE INDEX refunds_of_order ON refunds (order_id);
CREATE INDEX refunds_of_charge ON refunds (psp_payment);
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

-- Chargebacks as the PSP tells of them. `booked_at` is null until the payment that it is about is known as captured.
CREATE TABLE disputes (
    id          text PRIMARY KEY,
    psp_payment text   NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text   NOT NULL,
    cause       text   NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    booked_at   timestamptz
);
CREATE INDEX disputes_open ON disputes (told_at) WHERE booked_at IS NULL;
