-- Feeds whose hub tells us of news (WebSub): which hub each feed names, and our subscriptions there.
ALTER TABLE feeds ADD COLUMN hub_url TEXT COLLATE "C";
ALTER TABLE feeds ADD COLUMN hub_topic TEXT COLLATE "C" CHECK ((hub_topic IS NULL) = (hub_url IS NULL));  -- as the hub knows the feed

CREATE TABLE subscriptions (
    token          TEXT COLLATE "C" PRIMARY KEY,  -- ends the path of the callback; nobody can guess it
    feed_id        BIGINT NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    hub            TEXT COLLATE "C" NOT NULL,
    topic          TEXT COLLATE "C" NOT NULL,
    secret         TEXT COLLATE "C" NOT NULL,     -- with which the hub signs what it pushes
    site_url       TEXT COLLATE "C" NOT NULL,     -- the public address under which the hub was given the callback
    wanted         BOOLEAN NOT NULL,              -- or to be ended
    asked_at       BIGINT,                        -- what we asked of the hub then, it has not confirmed yet
    lease_until_at BIGINT,                        -- confirmed until then
    next_at        BIGINT NOT NULL,               -- when the hub is next to be asked for something
    failures       BIGINT NOT NULL,               -- requests in a row that came to nothing
    last_error     TEXT COLLATE "C",
    pushed_at      BIGINT,                        -- news that no poll has looked for yet
    UNIQUE (feed_id, hub, topic)
);
CREATE INDEX subscriptions_by_next ON subscriptions (next_at);
CREATE INDEX subscriptions_pushed ON subscriptions (pushed_at) WHERE pushed_at IS NOT NULL;
