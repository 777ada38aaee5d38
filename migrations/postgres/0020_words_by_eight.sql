-- SQLite's index of words is merged in eights from here on; PostgreSQL's has nothing to set.
SELECT 1;
