CREATE TABLE word (id integer PRIMARY KEY, text text NOT NULL);
INSERT INTO word VALUES (1, 'hello');
