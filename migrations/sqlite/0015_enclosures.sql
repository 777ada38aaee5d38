-- The files attached to an entry. One to which nothing is attached has no row.
CREATE TABLE entry_enclosures (
    entry_id INTEGER PRIMARY KEY REFERENCES entries (id),
    files    TEXT NOT NULL              -- JSON: their addresses, types and lengths, in the feed's order
) STRICT;
