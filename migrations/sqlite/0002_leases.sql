-- Who polls what at this moment. A fetcher takes a lease on a feed before it asks for it; a fetcher that died loses its
-- leases when they end, and what comes late from one that lost its lease is refused.
CREATE TABLE leases (
    feed_id  INTEGER PRIMARY KEY REFERENCES feeds (id),
    fetcher  INTEGER NOT NULL,  -- a number of site_state.fetchers
    host     TEXT NOT NULL,     -- what counts as one host for the manners of fetching
    until_at INTEGER NOT NULL
) STRICT;

-- How many fetchers there ever were: the last number given out.
ALTER TABLE site_state ADD COLUMN fetchers INTEGER NOT NULL DEFAULT 0;
