-- Since when an entry has been missing from inside its feed's span, in complete answers: the first sign of a deletion.
ALTER TABLE entries ADD COLUMN missing_since_at INTEGER;
CREATE INDEX entries_missing ON entries (feed_id, missing_since_at) WHERE missing_since_at IS NOT NULL;
