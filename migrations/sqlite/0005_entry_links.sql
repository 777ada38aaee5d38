-- The links in the text of each entry, in order, so that conversations are found from either end, and what several
-- members point to. An address stands once for each entry.
CREATE TABLE entry_links (
    entry_id INTEGER NOT NULL REFERENCES entries (id),
    place    INTEGER NOT NULL,  -- 0, 1, 2 … in the text
    link_key TEXT NOT NULL,     -- as entries.link_key
    url      TEXT NOT NULL,
    words    TEXT NOT NULL,     -- the text of the link; may be empty
    PRIMARY KEY (entry_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_links_to ON entry_links (link_key);
