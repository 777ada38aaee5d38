-- The issues of the digest: which entries stand in which closed week, and every revision of it as it was made.

CREATE TABLE issues (
    week      TEXT COLLATE "C" PRIMARY KEY CHECK (length(week) = 8),  -- like 2015-W06, which sorts as time goes
    uri       TEXT COLLATE "C" NOT NULL,                              -- the tag: identifier
    closed_at BIGINT NOT NULL
);

-- An entry stands in one issue at most.
CREATE TABLE issue_entries (
    entry_id BIGINT PRIMARY KEY REFERENCES entries (id),
    week     TEXT COLLATE "C" NOT NULL REFERENCES issues (week),
    late     BOOLEAN NOT NULL, -- it came after the week of its publication had closed
    gone_in  BIGINT                                      -- it was withdrawn: the first revision without it
);
CREATE INDEX issue_entries_of_week ON issue_entries (week);

-- Whom the documents name beside those who wrote the entries, until they leave.
CREATE TABLE issue_members (
    week      TEXT COLLATE "C" NOT NULL REFERENCES issues (week),
    member_id BIGINT NOT NULL REFERENCES members (id),
    slug      TEXT COLLATE "C" NOT NULL,                  -- as it stands there
    PRIMARY KEY (week, slug)
);
CREATE INDEX issue_members_by_member ON issue_members (member_id);

-- The documents stand last. They are empty once a withdrawal made a later revision: that one holds none of the text.
CREATE TABLE issue_revisions (
    week          TEXT COLLATE "C" NOT NULL REFERENCES issues (week),
    revision      BIGINT NOT NULL CHECK (revision >= 1),
    made_at       BIGINT NOT NULL,
    hash          TEXT COLLATE "C" NOT NULL CHECK (length(hash) = 64),
    title         TEXT COLLATE "C" NOT NULL,
    entries       BIGINT NOT NULL,
    members       BIGINT NOT NULL,
    organisations BIGINT NOT NULL,
    json          TEXT COLLATE "C",
    markdown      TEXT COLLATE "C",
    html          TEXT COLLATE "C",
    text          TEXT COLLATE "C",
    csv           TEXT COLLATE "C",
    PRIMARY KEY (week, revision)
);

-- When a member wrote last before a week, and what was withdrawn, whatever the archive's size.
CREATE INDEX entries_of_member_published ON entries (member_id, published_at) WHERE shown = TRUE;
CREATE INDEX entries_withdrawn ON entries (id) WHERE withdrawn_at IS NOT NULL;

-- An editor's hand on a week, as JSON: laid over the digest when it is shown, and never a part of it.
CREATE TABLE editions (
    week         TEXT COLLATE "C" PRIMARY KEY CHECK (length(week) = 8),
    draft        TEXT COLLATE "C" NOT NULL,
    published    TEXT COLLATE "C",  -- the draft as it was last published; empty: nobody but editors sees it
    published_at BIGINT,
    changed_at   BIGINT NOT NULL,
    changed_by   TEXT COLLATE "C" NOT NULL,
    CHECK ((published IS NULL) = (published_at IS NULL))
);
