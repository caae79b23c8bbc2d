-- Nothing here is put off by more than some seconds. What is put off further was written while this server's
-- clock was ahead, and has been put right since: it would be waited for in vain.
CREATE FUNCTION is_due(at timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT at <= clock_timestamp() OR at > clock_timestamp() + interval '1 minute'
$$;
-- For the same reason what lies ahead of the clock by so much counts as old.
CREATE FUNCTION is_older(at timestamptz, than_s double precision) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT at < clock_timestamp() - make_interval(secs => than_s) OR at > clock_timestamp() + interval '1 minute'
$$;

-- What operators can switch, and the record of what they did.
CREATE TABLE switches (
    name       text PRIMARY KEY,
    is_on      boolean NOT NULL,
    changed_by text    NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO switches (name, is_on) VALUES ('freeze', false);

-- Append-only; hash = sha256(previous hash, then this row as canonical JSON), see services/audit.py.
CREATE TABLE audit (
    seq    bigint PRIMARY KEY,
    at_us  bigint NOT NULL,
    who    text   NOT NULL,
    what   text   NOT NULL,
    object text   NOT NULL,
    hash   text   NOT NULL
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The chain's last link. Its row lock makes writers take turns.
CREATE TABLE audit_head (
    seq  bigint NOT NULL,
    hash text   NOT NULL
);
INSERT INTO audit_head VALUES (0, '');
