-- By which rules the archive has its topics, and how far it is on the way to others; and what moderators decided by hand.
ALTER TABLE site_state ADD COLUMN topics_by TEXT;         -- the rules' fingerprint
ALTER TABLE site_state ADD COLUMN retagging_by TEXT;      -- the new rules' fingerprint, while they are taken over
ALTER TABLE site_state ADD COLUMN retagged_to INTEGER;    -- the last entries.id that they were applied to

CREATE TABLE topic_decisions (
    entry_id   INTEGER NOT NULL REFERENCES entries (id),
    topic      TEXT NOT NULL,
    holds      INTEGER NOT NULL CHECK (holds IN (0, 1)),
    decided_by TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (entry_id, topic)
) STRICT, WITHOUT ROWID;
