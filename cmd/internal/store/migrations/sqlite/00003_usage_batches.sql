-- +goose Up
-- The ledger, a batch of calls a row. The table usage takes no more rows; those it has are counted until they are old.
CREATE TABLE usage_batches (
    first    INTEGER NOT NULL, -- time of its earliest record; all are of the same hour
    last     INTEGER NOT NULL, -- of its latest
    id       TEXT    NOT NULL, -- of the record that was written first
    checksum INTEGER NOT NULL, -- CRC-32C of packed
    records  INTEGER NOT NULL,
    packed   BLOB    NOT NULL, -- packed.go
    PRIMARY KEY (first, last, id, checksum) -- writing a batch again changes nothing
) STRICT;
UPDATE schema_version SET current = 3;
