-- +goose Up
-- Tools of upstreams as they were approved, and as they are where that differs (mcp.md §15).
CREATE TABLE tool_pins (
    server    TEXT    NOT NULL,
    tool      TEXT    NOT NULL,
    hash      TEXT    NOT NULL, -- of what was approved; '': nothing was
    approved  BLOB    NOT NULL, -- canonical JSON
    held_hash TEXT    NOT NULL, -- of what is held back; '': nothing is
    held      BLOB    NOT NULL,
    since     INTEGER NOT NULL,
    gone      INTEGER NOT NULL, -- 0: it is listed
    PRIMARY KEY (server, tool)
) STRICT, WITHOUT ROWID;
UPDATE schema_version SET current = 2;
