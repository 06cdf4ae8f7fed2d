-- +goose Up
-- Times are UTC milliseconds, 0 for none. Columns named sealed are encrypted and bound to their place (operations.md K3).

CREATE TABLE schema_version (
    only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
    current       INTEGER NOT NULL,
    oldest_reader INTEGER NOT NULL, -- a program that knows fewer migrations than this must not open the database
    release       TEXT    NOT NULL  -- the first release that may
) STRICT;
INSERT INTO schema_version VALUES (1, 1, 1, '0.1');

CREATE TABLE schema_checksums (
    version  INTEGER PRIMARY KEY,
    checksum TEXT NOT NULL -- hex SHA-256 of the migration as it was applied
) STRICT;

CREATE TABLE known_keys (
    id   TEXT    PRIMARY KEY, -- names of keys, never keys
    kind TEXT    NOT NULL CHECK (kind IN ('encryption', 'mac')),
    seen INTEGER NOT NULL
) STRICT;

CREATE TABLE clients (
    id          TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    last_used   INTEGER NOT NULL,
    record      TEXT    NOT NULL
) STRICT;
CREATE INDEX clients_fingerprint ON clients (fingerprint) WHERE fingerprint <> '';
CREATE INDEX clients_unused ON clients (created) WHERE kind = 'registered' AND last_used = 0;

CREATE TABLE transactions (
    id      TEXT    PRIMARY KEY, -- hex SHA-256 of the id
    state   TEXT    NOT NULL,    -- hex SHA-256 of the upstream state
    status  TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    sealed  TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX transactions_state ON transactions (state) WHERE state <> '';
CREATE INDEX transactions_open ON transactions (expires) WHERE status IN ('at_provider', 'consenting');
CREATE INDEX transactions_expires ON transactions (expires);

CREATE TABLE grants (
    id        TEXT    PRIMARY KEY,
    subject   TEXT    NOT NULL,
    client_id TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    revoked   INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    record    TEXT    NOT NULL,
    sealed    TEXT    NOT NULL -- upstream tokens and kept claims
) STRICT;
CREATE INDEX grants_subject ON grants (subject, created);
CREATE INDEX grants_expires ON grants (expires);
CREATE INDEX grants_revoked ON grants (revoked) WHERE revoked <> 0;

CREATE TABLE codes (
    hash     TEXT    PRIMARY KEY,
    grant_id TEXT    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires  INTEGER NOT NULL,
    spent    INTEGER NOT NULL,
    record   TEXT    NOT NULL
) STRICT;
CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX codes_expires ON codes (expires);

CREATE TABLE refresh_tokens (
    id          TEXT    PRIMARY KEY,
    secret_hash TEXT    NOT NULL,
    grant_id    TEXT    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id   TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    generation  INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    sealed      TEXT    NOT NULL, -- the successor, once used
    created     INTEGER NOT NULL,
    expires     INTEGER NOT NULL
) STRICT;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

CREATE TABLE sessions (
    hash    TEXT    PRIMARY KEY,
    subject TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    sealed  TEXT    NOT NULL
) STRICT;
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE usage (
    id                 TEXT    PRIMARY KEY,
    request_id         TEXT    NOT NULL,
    time               INTEGER NOT NULL,
    subscription       TEXT    NOT NULL,
    product            TEXT    NOT NULL,
    caller             TEXT    NOT NULL,
    client_id          TEXT    NOT NULL,
    surface            TEXT    NOT NULL,
    endpoint           TEXT    NOT NULL,
    server             TEXT    NOT NULL,
    tool               TEXT    NOT NULL,
    model              TEXT    NOT NULL,
    upstream_model     TEXT    NOT NULL,
    backend            TEXT    NOT NULL,
    attempts           INTEGER NOT NULL,
    status             INTEGER NOT NULL,
    outcome            TEXT    NOT NULL,
    code               TEXT    NOT NULL,
    stream             INTEGER NOT NULL,
    cache              TEXT    NOT NULL,
    usage_source       TEXT    NOT NULL,
    tokens_in          INTEGER, -- the tokens are null where there are none to know
    tokens_cached      INTEGER,
    tokens_cache_write INTEGER,
    tokens_out         INTEGER,
    tokens_reasoning   INTEGER,
    cost_micro         INTEGER NOT NULL,
    saved_micro        INTEGER NOT NULL,
    currency           TEXT    NOT NULL,
    price_version      TEXT    NOT NULL,
    duration_ms        INTEGER NOT NULL,
    first_byte_ms      INTEGER, -- null: unknown
    upstream_ms        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_time ON usage (time);
