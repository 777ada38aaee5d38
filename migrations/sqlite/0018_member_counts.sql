-- What a member's documents are not to count each time they are made, and what left a member's part of the river.

-- How many entries of each member readers have ever seen ('arrived'), and how many they see of each topic. The triggers
-- keep it in step with what is counted.
CREATE TABLE member_counts (
    kind      TEXT NOT NULL CHECK (kind IN ('arrived', 'topic')),
    label     TEXT NOT NULL,              -- a topic's slug, or empty
    member_id INTEGER NOT NULL,
    entries   INTEGER NOT NULL,
    PRIMARY KEY (kind, label, member_id)
) STRICT, WITHOUT ROWID;
INSERT INTO member_counts (kind, label, member_id, entries)
SELECT 'arrived', '', member_id, COUNT(*) FROM entries WHERE arrival IS NOT NULL GROUP BY member_id;
INSERT INTO member_counts (kind, label, member_id, entries)
SELECT 'topic', l.label, e.member_id, COUNT(*) FROM entry_labels l CROSS JOIN entries e
WHERE l.kind = 'topic' AND e.id = l.entry_id GROUP BY l.label, e.member_id;

CREATE TRIGGER member_counts_arrived AFTER INSERT ON entries WHEN new.arrival IS NOT NULL BEGIN
    INSERT INTO member_counts (kind, label, member_id, entries) VALUES ('arrived', '', new.member_id, 1)
    ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER member_counts_arrived_otherwise AFTER UPDATE OF arrival, member_id ON entries
WHEN (old.arrival IS NULL) <> (new.arrival IS NULL) OR old.member_id <> new.member_id BEGIN
    UPDATE member_counts SET entries = entries - 1
    WHERE old.arrival IS NOT NULL AND kind = 'arrived' AND label = '' AND member_id = old.member_id;
    DELETE FROM member_counts WHERE kind = 'arrived' AND label = '' AND member_id = old.member_id AND entries = 0;
    INSERT INTO member_counts (kind, label, member_id, entries)
    SELECT 'arrived', '', new.member_id, 1 WHERE new.arrival IS NOT NULL
    ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER member_counts_not_arrived AFTER DELETE ON entries WHEN old.arrival IS NOT NULL BEGIN
    UPDATE member_counts SET entries = entries - 1
    WHERE kind = 'arrived' AND label = '' AND member_id = old.member_id;
    DELETE FROM member_counts WHERE kind = 'arrived' AND label = '' AND member_id = old.member_id AND entries = 0;
END;
CREATE TRIGGER member_counts_label AFTER INSERT ON entry_labels WHEN new.kind = 'topic' BEGIN
    INSERT INTO member_counts (kind, label, member_id, entries)
    SELECT 'topic', new.label, e.member_id, 1 FROM entries e WHERE e.id = new.entry_id
    ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER member_counts_no_label AFTER DELETE ON entry_labels WHEN old.kind = 'topic' BEGIN
    UPDATE member_counts SET entries = entries - 1 WHERE kind = 'topic' AND label = old.label
        AND member_id = (SELECT e.member_id FROM entries e WHERE e.id = old.entry_id);
    DELETE FROM member_counts WHERE kind = 'topic' AND label = old.label AND entries = 0
        AND member_id = (SELECT e.member_id FROM entries e WHERE e.id = old.entry_id);
END;
-- An entry that goes to another member takes the topics with it under which it stands.
CREATE TRIGGER member_counts_moved AFTER UPDATE OF member_id ON entries
WHEN old.member_id <> new.member_id AND old.topics <> '[]' BEGIN
    UPDATE member_counts SET entries = entries - 1
    WHERE kind = 'topic' AND member_id = old.member_id AND label IN (
        SELECT l.label FROM json_each(old.topics) t CROSS JOIN entry_labels l
        WHERE l.kind = 'topic' AND l.label = json_extract(t.value, '$.slug')
            AND l.river_at = old.river_at AND l.entry_id = old.id);
    DELETE FROM member_counts WHERE kind = 'topic' AND member_id = old.member_id AND entries = 0
        AND label IN (SELECT json_extract(t.value, '$.slug') FROM json_each(old.topics) t);
    INSERT INTO member_counts (kind, label, member_id, entries)
    SELECT DISTINCT 'topic', l.label, new.member_id, 1 FROM json_each(old.topics) t CROSS JOIN entry_labels l
    WHERE l.kind = 'topic' AND l.label = json_extract(t.value, '$.slug')
        AND l.river_at = old.river_at AND l.entry_id = old.id
    ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = entries + 1;
END;

CREATE INDEX entries_left_of_member ON entries (member_id, changed_at, id)
    WHERE shown = FALSE AND arrival IS NOT NULL;

-- Where the newest entry of each member stands that readers see.
CREATE TABLE member_newest (
    member_id INTEGER PRIMARY KEY,
    river_at  INTEGER NOT NULL
) STRICT;
INSERT INTO member_newest (member_id, river_at)
SELECT member_id, MAX(river_at) FROM entries WHERE shown = TRUE GROUP BY member_id;

CREATE TRIGGER member_newest_shown AFTER INSERT ON entries WHEN new.shown BEGIN
    INSERT INTO member_newest (member_id, river_at) VALUES (new.member_id, new.river_at)
    ON CONFLICT (member_id) DO UPDATE SET river_at = MAX(river_at, excluded.river_at);
END;
CREATE TRIGGER member_newest_otherwise AFTER UPDATE OF shown, member_id ON entries
WHEN old.shown <> new.shown OR old.member_id <> new.member_id BEGIN
    DELETE FROM member_newest WHERE member_id = old.member_id;
    INSERT INTO member_newest (member_id, river_at)
    SELECT e.member_id, e.river_at FROM entries e WHERE e.member_id = old.member_id AND e.shown = TRUE
    ORDER BY e.river_at DESC LIMIT 1;
    INSERT INTO member_newest (member_id, river_at) SELECT new.member_id, new.river_at WHERE new.shown
    ON CONFLICT (member_id) DO UPDATE SET river_at = MAX(river_at, excluded.river_at);
END;
CREATE TRIGGER member_newest_not_shown AFTER DELETE ON entries WHEN old.shown BEGIN
    DELETE FROM member_newest WHERE member_id = old.member_id;
    INSERT INTO member_newest (member_id, river_at)
    SELECT e.member_id, e.river_at FROM entries e WHERE e.member_id = old.member_id AND e.shown = TRUE
    ORDER BY e.river_at DESC LIMIT 1;
END;
