-- What a member's documents are not to count each time they are made, and what left a member's part of the river.

-- How many entries of each member readers have ever seen ('arrived'), and how many they see of each topic. The triggers
-- keep it in step with what is counted.
CREATE TABLE member_counts (
    kind      TEXT COLLATE "C" NOT NULL CHECK (kind IN ('arrived', 'topic')),
    label     TEXT COLLATE "C" NOT NULL,  -- a topic's slug, or empty
    member_id BIGINT NOT NULL,
    entries   BIGINT NOT NULL,
    PRIMARY KEY (kind, label, member_id)
);
INSERT INTO member_counts (kind, label, member_id, entries)
SELECT 'arrived', '', member_id, COUNT(*) FROM entries WHERE arrival IS NOT NULL GROUP BY member_id;
INSERT INTO member_counts (kind, label, member_id, entries)
SELECT 'topic', l.label, e.member_id, COUNT(*) FROM entry_labels l JOIN entries e ON e.id = l.entry_id
WHERE l.kind = 'topic' GROUP BY l.label, e.member_id;

CREATE FUNCTION member_counts_add() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'entries' THEN
        INSERT INTO member_counts (kind, label, member_id, entries)
        SELECT 'arrived', '', member_id, COUNT(*) FROM added WHERE arrival IS NOT NULL GROUP BY member_id
        ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = member_counts.entries + EXCLUDED.entries;
    ELSE
        INSERT INTO member_counts (kind, label, member_id, entries)
        SELECT 'topic', l.label, e.member_id, COUNT(*) FROM added l JOIN entries e ON e.id = l.entry_id
        WHERE l.kind = 'topic' GROUP BY l.label, e.member_id
        ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = member_counts.entries + EXCLUDED.entries;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION member_counts_label_left() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE member_counts SET entries = entries - 1 WHERE kind = 'topic' AND label = OLD.label
        AND member_id = (SELECT e.member_id FROM entries e WHERE e.id = OLD.entry_id);
    DELETE FROM member_counts WHERE kind = 'topic' AND label = OLD.label AND entries = 0
        AND member_id = (SELECT e.member_id FROM entries e WHERE e.id = OLD.entry_id);
    RETURN NULL;
END $$;
CREATE FUNCTION member_counts_entry_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    stands TEXT[];
BEGIN
    IF OLD.arrival IS NOT NULL THEN
        UPDATE member_counts SET entries = entries - 1
        WHERE kind = 'arrived' AND label = '' AND member_id = OLD.member_id;
        DELETE FROM member_counts
        WHERE kind = 'arrived' AND label = '' AND member_id = OLD.member_id AND entries = 0;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    IF NEW.arrival IS NOT NULL THEN
        INSERT INTO member_counts (kind, label, member_id, entries) VALUES ('arrived', '', NEW.member_id, 1)
        ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = member_counts.entries + 1;
    END IF;
    -- An entry that goes to another member takes the topics with it under which it stands.
    IF OLD.member_id <> NEW.member_id AND OLD.topics <> '[]' THEN
        SELECT array_agg(DISTINCT l.label) INTO stands
        FROM jsonb_array_elements(OLD.topics::JSONB) t JOIN entry_labels l ON l.kind = 'topic'
            AND l.label = t.value ->> 'slug' AND l.river_at = OLD.river_at AND l.entry_id = OLD.id;
        UPDATE member_counts SET entries = entries - 1
        WHERE kind = 'topic' AND label = ANY (stands) AND member_id = OLD.member_id;
        DELETE FROM member_counts
        WHERE kind = 'topic' AND label = ANY (stands) AND member_id = OLD.member_id AND entries = 0;
        INSERT INTO member_counts (kind, label, member_id, entries)
        SELECT 'topic', s.label, NEW.member_id, 1 FROM unnest(stands) s (label)
        ON CONFLICT (kind, label, member_id) DO UPDATE SET entries = member_counts.entries + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER member_counts_arrived AFTER INSERT ON entries REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION member_counts_add();
CREATE TRIGGER member_counts_otherwise AFTER UPDATE OF arrival, member_id ON entries FOR EACH ROW
WHEN ((OLD.arrival IS NULL) <> (NEW.arrival IS NULL) OR OLD.member_id <> NEW.member_id)
EXECUTE FUNCTION member_counts_entry_changed();
CREATE TRIGGER member_counts_not_arrived AFTER DELETE ON entries
FOR EACH ROW EXECUTE FUNCTION member_counts_entry_changed();
CREATE TRIGGER member_counts_label AFTER INSERT ON entry_labels REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION member_counts_add();
CREATE TRIGGER member_counts_no_label AFTER DELETE ON entry_labels
FOR EACH ROW EXECUTE FUNCTION member_counts_label_left();

CREATE INDEX entries_left_of_member ON entries (member_id, changed_at, id)
    WHERE shown = FALSE AND arrival IS NOT NULL;

-- Where the newest entry of each member stands that readers see.
CREATE TABLE member_newest (
    member_id BIGINT PRIMARY KEY,
    river_at  BIGINT NOT NULL
);
INSERT INTO member_newest (member_id, river_at)
SELECT member_id, MAX(river_at) FROM entries WHERE shown = TRUE GROUP BY member_id;

CREATE FUNCTION member_newest_add() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO member_newest (member_id, river_at)
    SELECT member_id, MAX(river_at) FROM added WHERE shown GROUP BY member_id
    ON CONFLICT (member_id) DO UPDATE SET river_at = GREATEST(member_newest.river_at, EXCLUDED.river_at);
    RETURN NULL;
END $$;
CREATE FUNCTION member_newest_entry_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM member_newest WHERE member_id = OLD.member_id;
    INSERT INTO member_newest (member_id, river_at)
    SELECT e.member_id, e.river_at FROM entries e WHERE e.member_id = OLD.member_id AND e.shown = TRUE
    ORDER BY e.river_at DESC LIMIT 1;
    IF TG_OP = 'UPDATE' AND NEW.shown THEN
        INSERT INTO member_newest (member_id, river_at) VALUES (NEW.member_id, NEW.river_at)
        ON CONFLICT (member_id) DO UPDATE SET river_at = GREATEST(member_newest.river_at, EXCLUDED.river_at);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER member_newest_shown AFTER INSERT ON entries REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION member_newest_add();
CREATE TRIGGER member_newest_otherwise AFTER UPDATE OF shown, member_id ON entries FOR EACH ROW
WHEN (OLD.shown <> NEW.shown OR OLD.member_id <> NEW.member_id) EXECUTE FUNCTION member_newest_entry_changed();
CREATE TRIGGER member_newest_not_shown AFTER DELETE ON entries FOR EACH ROW WHEN (OLD.shown)
EXECUTE FUNCTION member_newest_entry_changed();
