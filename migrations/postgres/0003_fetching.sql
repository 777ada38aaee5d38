-- What the manners of fetching need to remember: of a feed, how often it writes and what it asks for, and what has been
-- wrong since when; of a host, what was asked of it.

ALTER TABLE feeds ADD COLUMN title TEXT COLLATE "C";                -- as the feed names itself
ALTER TABLE feeds ADD COLUMN validators_url TEXT COLLATE "C";       -- where the validators came from, if a redirect led there
ALTER TABLE feeds ADD COLUMN last_entry_at BIGINT;     -- when the newest entry came out or arrived
ALTER TABLE feeds ADD COLUMN rhythm_since_at BIGINT;   -- so many posts …
ALTER TABLE feeds ADD COLUMN rhythm_posts BIGINT CHECK ((rhythm_posts IS NULL) = (rhythm_since_at IS NULL));  -- … since then
ALTER TABLE feeds ADD COLUMN hint_seconds BIGINT;      -- ttl, sy:updatePeriod
ALTER TABLE feeds ADD COLUMN skip_hours BIGINT NOT NULL DEFAULT 0;  -- in GMT: bit 0 is the hour from midnight on
ALTER TABLE feeds ADD COLUMN skip_days BIGINT NOT NULL DEFAULT 0;   -- in GMT: bit 0 is Monday
ALTER TABLE feeds ADD COLUMN next_poll_why TEXT COLLATE "C" NOT NULL DEFAULT 'rhythm';
ALTER TABLE feeds ADD COLUMN failing_since_at BIGINT;  -- the first of the present run of failures
ALTER TABLE feeds ADD COLUMN not_a_feed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE feeds ADD COLUMN proposed_url TEXT COLLATE "C";         -- the feed that the page at the address names instead
ALTER TABLE feeds ADD COLUMN name_unknown_since_at BIGINT;
ALTER TABLE feeds ADD COLUMN held_why TEXT COLLATE "C";             -- why nothing new of it is taken until somebody has looked

UPDATE feeds SET failing_since_at = last_polled_at WHERE failures > 0;
UPDATE feeds SET last_entry_at = (SELECT MAX(e.released_at) FROM entries e WHERE e.feed_id = feeds.id);
UPDATE feeds SET
    rhythm_since_at = (SELECT MIN(t.published_at) FROM (SELECT e.published_at FROM entries e
        WHERE e.feed_id = feeds.id AND e.river_at = e.released_at ORDER BY e.published_at DESC LIMIT 10) t),
    rhythm_posts = (SELECT NULLIF(COUNT(*), 0) FROM (SELECT 1 FROM entries e
        WHERE e.feed_id = feeds.id AND e.river_at = e.released_at LIMIT 10) t);

-- The addresses that feeds had before they moved, normalised as feeds.address is.
CREATE TABLE feed_aliases (
    address  TEXT COLLATE "C" PRIMARY KEY,
    feed_id  BIGINT NOT NULL REFERENCES feeds (id),
    since_at BIGINT NOT NULL
);

-- What we asked of each host on each day (UTC), request by request: what its own log holds of us.
CREATE TABLE host_days (
    day          TEXT COLLATE "C" NOT NULL CHECK (length(day) = 10),
    host         TEXT COLLATE "C" NOT NULL,
    requests     BIGINT NOT NULL,
    not_modified BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,  -- of bodies, as they came over the wire
    PRIMARY KEY (day, host)
);
