-- The issues of the digest: which entries stand in which closed week, and every revision of it as it was made.

CREATE TABLE issues (
    week      TEXT PRIMARY KEY CHECK (length(week) = 8),  -- like 2015-W06, which sorts as time goes
    uri       TEXT NOT NULL,                              -- the tag: identifier
    closed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An entry stands in one issue at most.
CREATE TABLE issue_entries (
    entry_id INTEGER PRIMARY KEY REFERENCES entries (id),
    week     TEXT NOT NULL REFERENCES issues (week),
    late     INTEGER NOT NULL CHECK (late IN (0, 1)),     -- it came after the week of its publication had closed
    gone_in  INTEGER                                      -- it was withdrawn: the first revision without it
) STRICT;
CREATE INDEX issue_entries_of_week ON issue_entries (week);

-- Whom the documents name beside those who wrote the entries, until they leave.
CREATE TABLE issue_members (
    week      TEXT NOT NULL REFERENCES issues (week),
    member_id INTEGER NOT NULL REFERENCES members (id),
    slug      TEXT NOT NULL,                              -- as it stands there
    PRIMARY KEY (week, slug)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_members_by_member ON issue_members (member_id);

-- The documents stand last. They are empty once a withdrawal made a later revision: that one holds none of the text.
CREATE TABLE issue_revisions (
    week          TEXT NOT NULL REFERENCES issues (week),
    revision      INTEGER NOT NULL CHECK (revision >= 1),
    made_at       INTEGER NOT NULL,
    hash          TEXT NOT NULL CHECK (length(hash) = 64),
    title         TEXT NOT NULL,
    entries       INTEGER NOT NULL,
    members       INTEGER NOT NULL,
    organisations INTEGER NOT NULL,
    json          TEXT,
    markdown      TEXT,
    html          TEXT,
    text          TEXT,
    csv           TEXT,
    PRIMARY KEY (week, revision)
) STRICT;

-- When a member wrote last before a week, and what was withdrawn, whatever the archive's size.
CREATE INDEX entries_of_member_published ON entries (member_id, published_at) WHERE shown = TRUE;
CREATE INDEX entries_withdrawn ON entries (id) WHERE withdrawn_at IS NOT NULL;

-- An editor's hand on a week, as JSON: laid over the digest when it is shown, and never a part of it.
CREATE TABLE editions (
    week         TEXT PRIMARY KEY CHECK (length(week) = 8),
    draft        TEXT NOT NULL,
    published    TEXT,              -- the draft as it was last published; empty: nobody but editors sees it
    published_at INTEGER,
    changed_at   INTEGER NOT NULL,
    changed_by   TEXT NOT NULL,
    CHECK ((published IS NULL) = (published_at IS NULL))
) STRICT, WITHOUT ROWID;
