-- The files attached to an entry. One to which nothing is attached has no row.
CREATE TABLE entry_enclosures (
    entry_id BIGINT PRIMARY KEY REFERENCES entries (id),
    files    TEXT COLLATE "C" NOT NULL              -- JSON: their addresses, types and lengths, in the feed's order
);
