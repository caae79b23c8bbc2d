-- Double entry: what the PSP has done to money, one posting of two lines each. `amount` is in minor units, a debit is
-- positive, a credit negative. `ref` names the PSP's effect (capture:<payment>, refund:<refund>, refund_failed:<refund>,
-- chargeback:<dispute>, fee:<line>), so that each is posted once, whoever brings the news. Holds move nothing.
CREATE TABLE ledger_entries (
    ref        text   NOT NULL,
    line       int    NOT NULL CHECK (line IN (1, 2)),
    account    text   NOT NULL CHECK (account IN ('psp_clearing', 'revenue', 'refunds', 'fees', 'suspense', 'chargebacks')),
    amount     bigint NOT NULL CHECK (amount <> 0),
    currency   text   NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    psp        text   NOT NULL,
    order_id   text,
    cause      text   NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ref, line)
);
CREATE INDEX ledger_by_time ON ledger_entries USING brin (at);

CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_entries WHERE ref = NEW.ref GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'posting % does not balance', NEW.ref USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_balance();
