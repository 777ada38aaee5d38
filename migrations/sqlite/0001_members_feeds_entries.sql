-- Members, their feeds, what the feeds brought, and the indices that let every page cost the same whatever the
-- archive's size. Instants are UTC milliseconds in columns named *_at.

-- One row: what the whole site has come to.
CREATE TABLE site_state (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    revision         INTEGER NOT NULL,  -- counts the changes to what readers see
    changed_at       INTEGER NOT NULL,  -- the last of them; grows with each, so that it orders entries.changed_at
    arrivals         INTEGER NOT NULL,  -- the last entries.arrival given out
    first_success_at INTEGER            -- the first good poll stored in this database
) STRICT;
INSERT INTO site_state (id, revision, changed_at, arrivals) VALUES (1, 0, 0, 0);

CREATE TABLE members (
    id           INTEGER PRIMARY KEY,
    slug         TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    organisation TEXT,
    url          TEXT,                  -- the blog: as the registry names it, else as the member's first feed does
    kind         TEXT NOT NULL CHECK (kind IN ('person', 'team')),
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE feeds (
    id               INTEGER PRIMARY KEY,
    member_id        INTEGER NOT NULL REFERENCES members (id),
    slug             TEXT NOT NULL UNIQUE,     -- the member's own for the member's first feed
    url              TEXT NOT NULL,            -- where it is polled
    address          TEXT NOT NULL UNIQUE,     -- by which the registry knows it, normalised
    site             TEXT,                     -- the blog, where the registry names it
    site_url         TEXT,                     -- the blog, where the feed names it
    content          TEXT NOT NULL CHECK (content IN ('excerpt', 'full')),
    include          TEXT NOT NULL CHECK (include IN ('all', 'tagged')),
    licence          TEXT,
    joined           TEXT NOT NULL CHECK (length(joined) = 10),
    status           TEXT NOT NULL CHECK (status IN ('pending', 'active', 'paused', 'retired', 'gone', 'rejected')),
    in_file          INTEGER NOT NULL CHECK (in_file IN (0, 1)),
    version          INTEGER NOT NULL,         -- grows with each write; a poll computed from an older one is refused
    etag             TEXT,
    last_modified    TEXT,
    body_hash        TEXT,
    first_success_at INTEGER,
    last_success_at  INTEGER,
    last_polled_at   INTEGER,
    last_outcome     TEXT CHECK (last_outcome IN ('not_modified', 'unchanged', 'changed', 'failed')),
    last_error       TEXT,
    next_poll_at     INTEGER NOT NULL,
    retry_after_at   INTEGER,
    failures         INTEGER NOT NULL,
    gone_since_at    INTEGER,
    moved_to         TEXT,
    moved_since_at   INTEGER,
    entries          INTEGER NOT NULL,         -- held from this feed
    created_at       INTEGER NOT NULL,
    CHECK ((moved_to IS NULL) = (moved_since_at IS NULL))
) STRICT;
CREATE INDEX feeds_of_member ON feeds (member_id);

-- The last hundred or so polls of each feed. `number` is the feed's version that the poll began from.
CREATE TABLE polls (
    feed_id         INTEGER NOT NULL REFERENCES feeds (id),
    number          INTEGER NOT NULL,
    polled_at       INTEGER NOT NULL,
    outcome         TEXT NOT NULL CHECK (outcome IN ('not_modified', 'unchanged', 'changed', 'failed')),
    http_status     INTEGER,
    duration_ms     INTEGER NOT NULL,
    body_bytes      INTEGER NOT NULL,
    entries_new     INTEGER NOT NULL,
    entries_updated INTEGER NOT NULL,
    error           TEXT,
    PRIMARY KEY (feed_id, number)
) STRICT, WITHOUT ROWID;

-- The long columns stand last, so that reading the others does not walk through them.
CREATE TABLE entries (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE CHECK (length(key) BETWEEN 8 AND 32 AND key NOT GLOB '*[^a-z0-9]*'),
    uri          TEXT NOT NULL,             -- the tag: identifier
    feed_id      INTEGER NOT NULL REFERENCES feeds (id),
    member_id    INTEGER NOT NULL REFERENCES members (id),
    source_id    TEXT NOT NULL,             -- the feed's own identity for it
    link         TEXT,
    link_key     TEXT,
    fingerprint  TEXT NOT NULL,
    substance    TEXT NOT NULL,
    shown        INTEGER NOT NULL CHECK (shown IN (0, 1)),
    duplicate_of INTEGER REFERENCES entries (id),  -- the same story, first seen in another feed
    withdrawn_at INTEGER,
    arrival      INTEGER,                   -- 1, 2, 3 … in the order in which entries were first shown
    river_at     INTEGER NOT NULL,          -- released_at, or far below all dates for undated back catalogue
    published_at INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    released_at  INTEGER NOT NULL,
    arrived_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    language     TEXT,
    words        INTEGER NOT NULL,
    title        TEXT,
    author       TEXT,
    image_url    TEXT,
    image_alt    TEXT,
    licence      TEXT,
    source_url   TEXT,
    hashtags     TEXT NOT NULL,             -- JSON: [text]
    categories   TEXT NOT NULL,             -- JSON: [text]
    topics       TEXT NOT NULL,             -- JSON: topics with their evidence
    summary      TEXT NOT NULL,
    content_html TEXT NOT NULL,
    text         TEXT NOT NULL,
    UNIQUE (feed_id, source_id),
    CHECK (shown = 0 OR (duplicate_of IS NULL AND withdrawn_at IS NULL AND arrival IS NOT NULL)),
    -- What was withdrawn keeps its key and place, and nothing that its author wrote.
    CHECK (withdrawn_at IS NULL OR (link IS NULL AND link_key IS NULL AND source_url IS NULL AND fingerprint = ''
        AND substance = '' AND title IS NULL AND author IS NULL AND image_url IS NULL AND image_alt IS NULL
        AND summary = '' AND content_html = '' AND text = '' AND hashtags = '[]' AND categories = '[]'
        AND topics = '[]'))
) STRICT;
-- Written `shown = TRUE` everywhere, because SQLite then knows that the index alone answers. `published_at` stands in
-- the first two so that a range of dates is tested without reading the entry.
CREATE INDEX entries_in_river ON entries (river_at, id, published_at) WHERE shown = TRUE;
CREATE INDEX entries_of_member ON entries (member_id, river_at, id, published_at) WHERE shown = TRUE;
CREATE INDEX entries_published ON entries (published_at, id) WHERE shown = TRUE;
CREATE INDEX entries_changed ON entries (changed_at, id) WHERE arrival IS NOT NULL;
CREATE UNIQUE INDEX entries_by_arrival ON entries (arrival) WHERE arrival IS NOT NULL;
CREATE INDEX entries_also_in ON entries (duplicate_of) WHERE duplicate_of IS NOT NULL;

-- The topics and hashtags of shown entries, so that a label's page is one range of this table.
CREATE TABLE entry_labels (
    kind     TEXT NOT NULL CHECK (kind IN ('topic', 'hashtag')),
    label    TEXT NOT NULL,
    river_at INTEGER NOT NULL,
    entry_id INTEGER NOT NULL REFERENCES entries (id),
    PRIMARY KEY (kind, label, river_at, entry_id)
) STRICT, WITHOUT ROWID;

-- How many entries readers see, so that no page counts them. The triggers keep it in step with what is counted.
CREATE TABLE entry_counts (
    kind    TEXT NOT NULL CHECK (kind IN ('member', 'topic', 'hashtag')),
    label   TEXT NOT NULL,              -- a topic's slug, a hashtag, a member's number
    month   INTEGER NOT NULL,           -- of topics alone: when they were released (UTC), like 202611; undated: 0
    entries INTEGER NOT NULL,
    PRIMARY KEY (kind, label, month)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entry_counts_label AFTER INSERT ON entry_labels BEGIN
    INSERT INTO entry_counts (kind, label, month, entries)
    VALUES (new.kind, new.label, CASE new.kind WHEN 'topic'
        THEN COALESCE(CAST(strftime('%Y%m', new.river_at / 1000, 'unixepoch') AS INTEGER), 0) ELSE 0 END, 1)
    ON CONFLICT (kind, label, month) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER entry_counts_no_label AFTER DELETE ON entry_labels BEGIN
    UPDATE entry_counts SET entries = entries - 1 WHERE kind = old.kind AND label = old.label
        AND month = CASE old.kind WHEN 'topic'
            THEN COALESCE(CAST(strftime('%Y%m', old.river_at / 1000, 'unixepoch') AS INTEGER), 0) ELSE 0 END;
    DELETE FROM entry_counts WHERE kind = old.kind AND label = old.label AND entries = 0;
END;
CREATE TRIGGER entry_counts_shown AFTER INSERT ON entries WHEN new.shown BEGIN
    INSERT INTO entry_counts (kind, label, month, entries) VALUES ('member', CAST(new.member_id AS TEXT), 0, 1)
    ON CONFLICT (kind, label, month) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER entry_counts_otherwise AFTER UPDATE OF shown, member_id ON entries
WHEN old.shown <> new.shown OR old.member_id <> new.member_id BEGIN
    UPDATE entry_counts SET entries = entries - 1
    WHERE old.shown AND kind = 'member' AND label = CAST(old.member_id AS TEXT);
    INSERT INTO entry_counts (kind, label, month, entries)
    SELECT 'member', CAST(new.member_id AS TEXT), 0, 1 WHERE new.shown
    ON CONFLICT (kind, label, month) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER entry_counts_not_shown AFTER DELETE ON entries WHEN old.shown BEGIN
    UPDATE entry_counts SET entries = entries - 1 WHERE kind = 'member' AND label = CAST(old.member_id AS TEXT);
END;

-- Full-text search. The words live in entries; the triggers keep the index in step with them.
CREATE VIRTUAL TABLE entries_fts USING fts5 (
    title, text, content = 'entries', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO entries_fts (entries_fts, rank) VALUES ('rank', 'bm25(6.0, 1.0)');
-- A batch of polls is gathered in memory and written once (bytes).
INSERT INTO entries_fts (entries_fts, rank) VALUES ('hashsize', 8388608);
-- Whoever adds an entry may give its words before it.
CREATE TRIGGER entries_fts_insert AFTER INSERT ON entries
WHEN NOT EXISTS (SELECT 1 FROM entries_fts_docsize d WHERE d.id = new.id) BEGIN
    INSERT INTO entries_fts (rowid, title, text) VALUES (new.id, new.title, new.text);
END;
CREATE TRIGGER entries_fts_delete AFTER DELETE ON entries BEGIN
    INSERT INTO entries_fts (entries_fts, rowid, title, text) VALUES ('delete', old.id, old.title, old.text);
END;
CREATE TRIGGER entries_fts_update AFTER UPDATE OF title, text ON entries
WHEN old.title IS NOT new.title OR old.text IS NOT new.text BEGIN
    INSERT INTO entries_fts (entries_fts, rowid, title, text) VALUES ('delete', old.id, old.title, old.text);
    INSERT INTO entries_fts (rowid, title, text) VALUES (new.id, new.title, new.text);
END;
