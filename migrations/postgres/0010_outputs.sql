-- Archives of members, and what left, found without walking what is there.
CREATE INDEX entries_arrived_of_member ON entries (member_id, arrival) WHERE arrival IS NOT NULL;
CREATE INDEX entries_left ON entries (changed_at, id) WHERE shown = FALSE AND arrival IS NOT NULL;

-- What the hub is still to be told.
ALTER TABLE site_state ADD COLUMN hub_told_at BIGINT;  -- it knows, or is about to be told, of what changed up to then
ALTER TABLE site_state ADD COLUMN labels_left_at BIGINT;  -- when entries last left the feed of a topic or hashtag
CREATE TABLE hub_pings (
    feed_url   TEXT COLLATE "C" PRIMARY KEY,
    changed_at BIGINT NOT NULL,  -- the change that it is to be told of
    due_at     BIGINT NOT NULL,
    failures   BIGINT NOT NULL
);
CREATE INDEX hub_pings_due ON hub_pings (due_at);
