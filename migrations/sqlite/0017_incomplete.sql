-- What of a feed could not be read, as it was last read: what is wrong, and what its blogger can do.
ALTER TABLE feeds ADD COLUMN incomplete TEXT;
