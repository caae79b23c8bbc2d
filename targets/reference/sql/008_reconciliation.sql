-- Where our books and the PSP's differed: found once each, and how it was resolved (null: it still is open).
CREATE TABLE recon_breaks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text   NOT NULL CHECK (kind IN ('charge_without_order', 'surplus_charge', 'surplus_hold', 'unknown_refund',
                       'refund_failed', 'line_without_entry', 'entry_without_line', 'amount_differs')),
    subject     text   NOT NULL,
    psp         text   NOT NULL,
    refs        jsonb  NOT NULL,
    amount      bigint NOT NULL,
    currency    text   NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    how         text,
    UNIQUE (kind, subject),
    CHECK ((resolved_at IS NULL) = (how IS NULL))
);
CREATE INDEX recon_breaks_open ON recon_breaks (kind) WHERE resolved_at IS NULL;

-- The PSP's daily settlement files, line by line. `ref` is the reference of the ledger posting that it must have.
CREATE TABLE settlement_lines (
    ref        text PRIMARY KEY,
    psp        text   NOT NULL,
    day        date   NOT NULL,
    type       text   NOT NULL,
    id         text   NOT NULL,
    payment    text   NOT NULL,
    amount     bigint NOT NULL,
    currency   text   NOT NULL,
    fee        bigint NOT NULL,
    net        bigint NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    matched_at timestamptz
);
CREATE INDEX settlement_unmatched ON settlement_lines (psp, seen_at) WHERE matched_at IS NULL;

-- The files that were read, and up to where.
CREATE TABLE settlement_days (
    psp     text NOT NULL,
    day     date NOT NULL,
    lines   int  NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (psp, day)
);

CREATE VIEW settlement_report AS
SELECT d.psp, d.day, d.lines, d.read_at, l.currency, count(l.ref) FILTER (WHERE l.matched_at IS NOT NULL) AS matched,
       coalesce(sum(l.amount) FILTER (WHERE l.type = 'charge'), 0)::bigint AS charged,
       coalesce(sum(l.amount) FILTER (WHERE l.type = 'refund'), 0)::bigint AS refunded,
       coalesce(sum(l.amount) FILTER (WHERE l.type = 'dispute'), 0)::bigint AS disputed,
       coalesce(sum(l.fee), 0)::bigint AS fees, coalesce(sum(l.net), 0)::bigint AS net
FROM settlement_days d LEFT JOIN settlement_lines l USING (psp, day)
GROUP BY d.psp, d.day, l.currency;
