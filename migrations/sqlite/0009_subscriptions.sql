-- Feeds whose hub tells us of news (WebSub): which hub each feed names, and our subscriptions there.
ALTER TABLE feeds ADD COLUMN hub_url TEXT;
ALTER TABLE feeds ADD COLUMN hub_topic TEXT CHECK ((hub_topic IS NULL) = (hub_url IS NULL));  -- as the hub knows the feed

CREATE TABLE subscriptions (
    token          TEXT PRIMARY KEY,        -- ends the path of the callback; nobody can guess it
    feed_id        INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    hub            TEXT NOT NULL,
    topic          TEXT NOT NULL,
    secret         TEXT NOT NULL,           -- with which the hub signs what it pushes
    site_url       TEXT NOT NULL,           -- the public address under which the hub was given the callback
    wanted         INTEGER NOT NULL CHECK (wanted IN (0, 1)),  -- or to be ended
    asked_at       INTEGER,                 -- what we asked of the hub then, it has not confirmed yet
    lease_until_at INTEGER,                 -- confirmed until then
    next_at        INTEGER NOT NULL,        -- when the hub is next to be asked for something
    failures       INTEGER NOT NULL,        -- requests in a row that came to nothing
    last_error     TEXT,
    pushed_at      INTEGER,                 -- news that no poll has looked for yet
    UNIQUE (feed_id, hub, topic)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_by_next ON subscriptions (next_at);
CREATE INDEX subscriptions_pushed ON subscriptions (pushed_at) WHERE pushed_at IS NOT NULL;
