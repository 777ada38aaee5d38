-- Archives of members, and what left, found without walking what is there.
CREATE INDEX entries_arrived_of_member ON entries (member_id, arrival) WHERE arrival IS NOT NULL;
CREATE INDEX entries_left ON entries (changed_at, id) WHERE shown = FALSE AND arrival IS NOT NULL;
