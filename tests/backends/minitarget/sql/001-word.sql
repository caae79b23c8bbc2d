CREATE TABLE word (text text NOT NULL);
INSERT INTO word VALUES ('hello');
CREATE SEQUENCE counter;
