-- What is written to the index of words is a segment for each write, and segments are merged in eights, not fours: each
-- word is written anew less often, and a search looks into a few more.
INSERT INTO entries_fts (entries_fts, rank) VALUES ('automerge', 8);
