-- What is wrong with a feed, and mended as far as we could, as it was last read. A feed with nothing to mend has no row.
CREATE TABLE feed_problems (
    feed_id  BIGINT PRIMARY KEY REFERENCES feeds (id),
    problems TEXT COLLATE "C" NOT NULL              -- JSON: what its blogger is told
);
