-- Nothing: SQLite finds the row that a foreign key names by the index of the key that is referred to, whatever other indexes there are.
SELECT 1;
