-- Who polls what at this moment. A fetcher takes a lease on a feed before it asks for it; a fetcher that died loses its
-- leases when they end, and what comes late from one that lost its lease is refused.
CREATE TABLE leases (
    feed_id  BIGINT PRIMARY KEY REFERENCES feeds (id),
    fetcher  BIGINT NOT NULL,  -- a number of site_state.fetchers
    host     TEXT COLLATE "C" NOT NULL,     -- what counts as one host for the manners of fetching
    until_at BIGINT NOT NULL
);

-- How many fetchers there ever were: the last number given out.
ALTER TABLE site_state ADD COLUMN fetchers BIGINT NOT NULL DEFAULT 0;
