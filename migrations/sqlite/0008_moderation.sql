-- What leaves, what must not come back, what people report, and who decided what.

ALTER TABLE site_state ADD COLUMN salt TEXT;               -- of the hashes in tombstones; made when the first is needed
ALTER TABLE site_state ADD COLUMN scrub INTEGER NOT NULL DEFAULT 0 CHECK (scrub IN (0, 1));  -- whether erased text may still lie in the files

ALTER TABLE entries ADD COLUMN withdrawn_by TEXT CHECK (withdrawn_by IN ('author', 'left', 'moderator', 'source'));
ALTER TABLE entries ADD COLUMN withdrawn_why TEXT;         -- a moderator's reason, for everybody to read
ALTER TABLE entries ADD COLUMN dated_at INTEGER;           -- the feed's own date, also where it lies in the future

-- What became of an address is asked for entries that are not shown, too.
CREATE INDEX entries_by_link ON entries (link_key) WHERE link_key IS NOT NULL;

-- What must not be added again by accident: salted hashes, and nothing that says what it was.
CREATE TABLE tombstones (
    hash     TEXT PRIMARY KEY,
    cause    TEXT NOT NULL CHECK (cause IN ('author', 'left', 'moderator', 'source', 'rejected')),
    since_at INTEGER NOT NULL,
    feed_id  INTEGER REFERENCES feeds (id),
    entry_id INTEGER REFERENCES entries (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_of_feed ON tombstones (feed_id);

-- Who did what to what, when, and why.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    done_at INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,                                  -- a slug, a key, a reference
    why    TEXT
) STRICT;
CREATE INDEX audit_of_target ON audit (target, id);

-- What people report of posts.
CREATE TABLE reports (
    reference   TEXT PRIMARY KEY,
    entry_id    INTEGER NOT NULL REFERENCES entries (id),
    reason      TEXT NOT NULL,
    email       TEXT,
    reported_at INTEGER NOT NULL,
    answer      TEXT,
    closed_at   INTEGER,
    closed_by   TEXT,
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_open ON reports (reported_at) WHERE closed_at IS NULL;
CREATE INDEX reports_of_entry ON reports (entry_id);

-- Who is signed in at /admin: hashes of cookies. Signing out deletes the row, and the cookie is worth nothing.
CREATE TABLE sessions (
    hash     TEXT PRIMARY KEY,
    admin    TEXT NOT NULL,                                -- the name of the token that opened it
    key_hash TEXT NOT NULL,                                -- of that token: a session ends when the token is replaced
    made_at  INTEGER NOT NULL,
    until_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is deleted from the index of words is overwritten, and not only marked.
INSERT INTO entries_fts (entries_fts, rank) VALUES ('secure-delete', 1);
