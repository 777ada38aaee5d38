-- What bloggers say of the topics of their own entries until a moderator has looked, and an index of what blogs that take
-- part with tagged posts alone have left out.
CREATE TABLE topic_disputes (
    entry_id    BIGINT NOT NULL REFERENCES entries (id),
    topic       TEXT COLLATE "C" NOT NULL,
    should_hold BOOLEAN NOT NULL,              -- what its author says
    reason      TEXT COLLATE "C" NOT NULL,     -- in the author's words; may be empty
    disputed_at BIGINT NOT NULL,
    PRIMARY KEY (entry_id, topic)
);

CREATE INDEX entries_left_out ON entries (member_id, published_at, id)
    WHERE shown = FALSE AND duplicate_of IS NULL AND withdrawn_at IS NULL;
