-- Between which places of the river the entries of 256 numbers in a row stand. So a search that finds many entries knows
-- of most that they are too old, without reading them. A span only ever grows.
CREATE TABLE entry_spans (
    span      INTEGER PRIMARY KEY,      -- entries.id / 256
    oldest_at INTEGER NOT NULL,         -- as entries.river_at
    newest_at INTEGER NOT NULL
) STRICT;
INSERT INTO entry_spans (span, oldest_at, newest_at)
SELECT id / 256, MIN(river_at), MAX(river_at) FROM entries GROUP BY id / 256;

CREATE TRIGGER entry_spans_insert AFTER INSERT ON entries
WHEN NOT EXISTS (SELECT 1 FROM entry_spans s
    WHERE s.span = new.id / 256 AND s.oldest_at <= new.river_at AND s.newest_at >= new.river_at) BEGIN
    INSERT INTO entry_spans (span, oldest_at, newest_at) VALUES (new.id / 256, new.river_at, new.river_at)
    ON CONFLICT (span) DO UPDATE
    SET oldest_at = MIN(oldest_at, excluded.oldest_at), newest_at = MAX(newest_at, excluded.newest_at);
END;
-- An entry gets its place when it first shows.
CREATE TRIGGER entry_spans_moved AFTER UPDATE OF river_at ON entries
WHEN old.river_at <> new.river_at BEGIN
    INSERT INTO entry_spans (span, oldest_at, newest_at) VALUES (new.id / 256, new.river_at, new.river_at)
    ON CONFLICT (span) DO UPDATE
    SET oldest_at = MIN(oldest_at, excluded.oldest_at), newest_at = MAX(newest_at, excluded.newest_at);
END;
