-- Between which places of the river the entries of 256 numbers in a row stand. So a search that finds many entries knows
-- of most that they are too old, without reading them. A span only ever grows.
CREATE TABLE entry_spans (
    span      BIGINT PRIMARY KEY,       -- entries.id / 256
    oldest_at BIGINT NOT NULL,          -- as entries.river_at
    newest_at BIGINT NOT NULL
);
INSERT INTO entry_spans (span, oldest_at, newest_at)
SELECT id / 256, MIN(river_at), MAX(river_at) FROM entries GROUP BY id / 256;

CREATE FUNCTION entry_spans_add() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO entry_spans (span, oldest_at, newest_at)
    SELECT id / 256, MIN(river_at), MAX(river_at) FROM added GROUP BY id / 256
    ON CONFLICT (span) DO UPDATE SET oldest_at = LEAST(entry_spans.oldest_at, EXCLUDED.oldest_at),
        newest_at = GREATEST(entry_spans.newest_at, EXCLUDED.newest_at);
    RETURN NULL;
END $$;
CREATE FUNCTION entry_spans_move() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO entry_spans (span, oldest_at, newest_at) VALUES (NEW.id / 256, NEW.river_at, NEW.river_at)
    ON CONFLICT (span) DO UPDATE SET oldest_at = LEAST(entry_spans.oldest_at, EXCLUDED.oldest_at),
        newest_at = GREATEST(entry_spans.newest_at, EXCLUDED.newest_at);
    RETURN NULL;
END $$;
CREATE TRIGGER entry_spans_insert AFTER INSERT ON entries REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION entry_spans_add();
-- An entry gets its place when it first shows.
CREATE TRIGGER entry_spans_moved AFTER UPDATE OF river_at ON entries FOR EACH ROW
WHEN (OLD.river_at <> NEW.river_at) EXECUTE FUNCTION entry_spans_move();
