-- What a membership is beside what everybody sees of it: who proved what, who decided what, how a member is reached.

ALTER TABLE members ADD COLUMN verified_at BIGINT;   -- since when the blog is known to be theirs
ALTER TABLE members ADD COLUMN verified_by TEXT COLLATE "C" CHECK ((verified_by IS NULL) = (verified_at IS NULL));  -- how
ALTER TABLE members ADD COLUMN consented_at BIGINT;  -- when they said yes to being shown here
ALTER TABLE members ADD COLUMN withdrawn_at BIGINT;  -- since when nothing stands in this row that says who it was

ALTER TABLE feeds ADD COLUMN decided_by TEXT COLLATE "C";         -- who last decided about it here; such a decision wins over the file
ALTER TABLE feeds ADD COLUMN decided_why TEXT COLLATE "C";        -- the reason that its blogger sees
ALTER TABLE feeds ADD COLUMN owner_by_hand BOOLEAN NOT NULL DEFAULT FALSE;  -- a moderator said whose it is
ALTER TABLE feeds ADD COLUMN withdrawn_at BIGINT;    -- since when nothing stands in this row that says which it was

-- What a blogger was shown when they joined, for whoever decides about it; gone with the decision.
CREATE TABLE registrations (
    feed_id       BIGINT PRIMARY KEY REFERENCES feeds (id),
    registered_at BIGINT NOT NULL,
    preview       TEXT COLLATE "C"                  -- JSON, made and read by the forms
);

-- Slugs that members had before they were merged into others.
CREATE TABLE member_aliases (
    slug      TEXT COLLATE "C" PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES members (id)
);

-- How a member who wants to be told of trouble is reached. An address that nobody confirms is erased after seven days.
CREATE TABLE member_emails (
    member_id    BIGINT PRIMARY KEY REFERENCES members (id),
    email        TEXT COLLATE "C" NOT NULL,
    code_hash    TEXT COLLATE "C" NOT NULL UNIQUE,  -- of what the one mail before the confirmation holds
    given_at     BIGINT NOT NULL,
    confirmed_at BIGINT
);

-- The private links by which members manage what is theirs: hashes alone, so that who reads the database has none.
CREATE TABLE manage_links (
    hash      TEXT COLLATE "C" PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES members (id),
    made_at   BIGINT NOT NULL,
    proved_at BIGINT                   -- since when it may do everything
);
CREATE INDEX manage_links_of_member ON manage_links (member_id);
