-- By which rules the archive has its topics, and how far it is on the way to others; and what moderators decided by hand.
ALTER TABLE site_state ADD COLUMN topics_by TEXT COLLATE "C";         -- the rules' fingerprint
ALTER TABLE site_state ADD COLUMN retagging_by TEXT COLLATE "C";      -- the new rules' fingerprint, while they are taken over
ALTER TABLE site_state ADD COLUMN retagged_to BIGINT;    -- the last entries.id that they were applied to

CREATE TABLE topic_decisions (
    entry_id   BIGINT NOT NULL REFERENCES entries (id),
    topic      TEXT COLLATE "C" NOT NULL,
    holds      BOOLEAN NOT NULL,
    decided_by TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (entry_id, topic)
);
