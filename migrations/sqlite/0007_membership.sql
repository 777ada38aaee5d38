-- What a membership is beside what everybody sees of it: who proved what, who decided what, how a member is reached.

ALTER TABLE members ADD COLUMN verified_at INTEGER;   -- since when the blog is known to be theirs
ALTER TABLE members ADD COLUMN verified_by TEXT CHECK ((verified_by IS NULL) = (verified_at IS NULL));  -- how
ALTER TABLE members ADD COLUMN consented_at INTEGER;  -- when they said yes to being shown here
ALTER TABLE members ADD COLUMN withdrawn_at INTEGER;  -- since when nothing stands in this row that says who it was

ALTER TABLE feeds ADD COLUMN decided_by TEXT;         -- who last decided about it here; such a decision wins over the file
ALTER TABLE feeds ADD COLUMN decided_why TEXT;        -- the reason that its blogger sees
ALTER TABLE feeds ADD COLUMN owner_by_hand INTEGER NOT NULL DEFAULT 0 CHECK (owner_by_hand IN (0, 1));  -- a moderator said whose it is
ALTER TABLE feeds ADD COLUMN withdrawn_at INTEGER;    -- since when nothing stands in this row that says which it was

-- What a blogger was shown when they joined, for whoever decides about it; gone with the decision.
CREATE TABLE registrations (
    feed_id       INTEGER PRIMARY KEY REFERENCES feeds (id),
    registered_at INTEGER NOT NULL,
    preview       TEXT                  -- JSON, made and read by the forms
) STRICT;

-- Slugs that members had before they were merged into others.
CREATE TABLE member_aliases (
    slug      TEXT PRIMARY KEY,
    member_id INTEGER NOT NULL REFERENCES members (id)
) STRICT, WITHOUT ROWID;

-- How a member who wants to be told of trouble is reached. An address that nobody confirms is erased after seven days.
CREATE TABLE member_emails (
    member_id    INTEGER PRIMARY KEY REFERENCES members (id),
    email        TEXT NOT NULL,
    code_hash    TEXT NOT NULL UNIQUE,  -- of what the one mail before the confirmation holds
    given_at     INTEGER NOT NULL,
    confirmed_at INTEGER
) STRICT;

-- The private links by which members manage what is theirs: hashes alone, so that who reads the database has none.
CREATE TABLE manage_links (
    hash      TEXT PRIMARY KEY,
    member_id INTEGER NOT NULL REFERENCES members (id),
    made_at   INTEGER NOT NULL,
    proved_at INTEGER                   -- since when it may do everything
) STRICT, WITHOUT ROWID;
CREATE INDEX manage_links_of_member ON manage_links (member_id);
