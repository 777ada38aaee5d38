-- Whether the headers that come with a feed ask that no model be trained with it.
ALTER TABLE feeds ADD COLUMN refuses_training BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX feeds_refusing ON feeds (member_id) WHERE refuses_training = TRUE;
