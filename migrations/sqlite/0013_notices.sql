-- What is wrong with a feed since when until when, and what members are told of: on their own page, and by mail.

-- One row for each time that a feed broke.
CREATE TABLE feed_troubles (
    id       INTEGER PRIMARY KEY,
    feed_id  INTEGER NOT NULL REFERENCES feeds (id),
    since_at INTEGER NOT NULL,
    noted_at INTEGER NOT NULL,
    reason   TEXT NOT NULL,             -- in words, as its blogger was told
    ended_at INTEGER,                   -- since when it is well again
    UNIQUE (feed_id, since_at)
) STRICT;
CREATE INDEX feed_troubles_open ON feed_troubles (feed_id) WHERE ended_at IS NULL;

-- What members are told. A notice is written once, whoever finds it out; the mail of one is sent by whoever claims it.
CREATE TABLE notices (
    id         INTEGER PRIMARY KEY,
    occasion   TEXT NOT NULL UNIQUE,     -- what it tells of: a second notice of the same never comes to be
    member_id  INTEGER NOT NULL REFERENCES members (id),
    kind       TEXT NOT NULL CHECK (kind IN ('confirm', 'registered', 'approved', 'rejected', 'broke', 'well')),
    feed       TEXT,                     -- the feed's address
    words      TEXT,                     -- the reason
    secret     TEXT,                     -- of a mail that is to hold one; gone once it is sent
    noticed_at INTEGER NOT NULL,
    try_at     INTEGER NOT NULL,         -- when its mail is next tried; a claim pushes it into the future
    tries      INTEGER NOT NULL DEFAULT 0,
    sent_at    INTEGER,
    CHECK (secret IS NULL OR kind = 'confirm')
) STRICT;
CREATE INDEX notices_of_member ON notices (member_id, noticed_at);
CREATE INDEX notices_unsent ON notices (try_at) WHERE sent_at IS NULL;
