-- Amounts are whole cents of the one currency that the shop sells in.
CREATE TABLE IF NOT EXISTS purchase (
  number     TEXT PRIMARY KEY,
  basket     TEXT NOT NULL UNIQUE,
  request_id TEXT NOT NULL UNIQUE,
  articles   TEXT NOT NULL,              -- JSON
  cents      INTEGER NOT NULL CHECK (cents > 0),
  state      TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settling', 'paid', 'refused')),
  revision   INTEGER NOT NULL DEFAULT 1,
  made_at    REAL NOT NULL
) STRICT;

-- One try to pay. Its id is also the idempotency key at the PSP, so that asking again never charges again.
CREATE TABLE IF NOT EXISTS payment (
  id         TEXT PRIMARY KEY,
  purchase   TEXT NOT NULL REFERENCES purchase (number),
  request_id TEXT NOT NULL,
  card       TEXT NOT NULL,
  cents      INTEGER NOT NULL,
  state      TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'paid', 'refused')),
  psp_id     TEXT,
  why        TEXT NOT NULL DEFAULT '',
  made_at    REAL NOT NULL,
  asked_at   REAL NOT NULL,
  UNIQUE (purchase, request_id)
) STRICT;

-- At most one payment of a purchase is under way or made.
CREATE UNIQUE INDEX IF NOT EXISTS one_live_payment ON payment (purchase) WHERE state IN ('asked', 'paid');
CREATE INDEX IF NOT EXISTS asked_payments ON payment (asked_at) WHERE state = 'asked';
