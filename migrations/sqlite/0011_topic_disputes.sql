-- What bloggers say of the topics of their own entries until a moderator has looked, and an index of what blogs that take
-- part with tagged posts alone have left out.
CREATE TABLE topic_disputes (
    entry_id    INTEGER NOT NULL REFERENCES entries (id),
    topic       TEXT NOT NULL,
    should_hold INTEGER NOT NULL CHECK (should_hold IN (0, 1)),  -- what its author says
    reason      TEXT NOT NULL,                                   -- in the author's words; may be empty
    disputed_at INTEGER NOT NULL,
    PRIMARY KEY (entry_id, topic)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_left_out ON entries (member_id, published_at, id)
    WHERE shown = FALSE AND duplicate_of IS NULL AND withdrawn_at IS NULL;
