-- Events are written with the change that they tell of, and sent by the relay at least once, in order per order.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_ref   text NOT NULL UNIQUE,
    order_id    text NOT NULL REFERENCES orders,
    kind        text NOT NULL,
    seq         int  NOT NULL,
    payload     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries       int  NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at     timestamptz,
    UNIQUE (order_id, seq)
);
CREATE INDEX outbox_unsent ON outbox (order_id, seq) WHERE sent_at IS NULL;

-- Events that can have an effect, each once. `effect`: none, or the state of what it was about.
CREATE TABLE webhook_inbox (
    event_id    text PRIMARY KEY,
    type        text NOT NULL,
    effect      text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Up to where the PSP's own list has been compared with ours, in the PSP's seconds.
CREATE TABLE sweep_position (
    name      text PRIMARY KEY,
    watermark bigint NOT NULL
);
