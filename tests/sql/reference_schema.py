"""A schema whose functions name tables and columns in every way that PostgreSQL knows, and look-alikes that name none.

Every function takes no arguments, can be called again and again, and works before anything is renamed.
"""

from __future__ import annotations

TABLES = """
CREATE SCHEMA other;
CREATE TABLE users (id int PRIMARY KEY, email text, name text, "Mixed é" int);
CREATE TABLE orders (id int PRIMARY KEY, user_id int, email text, total int);
CREATE TABLE other.users (id int, email text, mood text);
CREATE TABLE notes (id int, body text);
CREATE TYPE pair AS (email text, total int);
CREATE SEQUENCE numbers;
INSERT INTO users VALUES (1, 'a@b', 'Ann', 5), (2, 'c@d', 'Bob', 6);
INSERT INTO orders VALUES (10, 1, 'x@y', 100);
INSERT INTO other.users VALUES (7, 'o@o', 'fine');
CREATE FUNCTION helper(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql AS 'SELECT * FROM users';
CREATE FUNCTION pairs() RETURNS TABLE (email text, n int) LANGUAGE sql AS $$ SELECT 'e'::text, 1 $$;
"""

#: Bodies of SQL functions that return what their last statement gives, as text.
SQL_BODIES = (
    "SELECT email FROM users LIMIT 1",
    "SELECT u.email FROM users u LIMIT 1",
    "SELECT users.email FROM users WHERE users.id = 1",
    "SELECT public.users.email FROM public.users LIMIT 1",
    "SELECT other.users.email FROM other.users LIMIT 1",
    "SELECT 'email of users'::text -- users.email",
    "SELECT o.email FROM orders o LIMIT 1",
    "SELECT o.email FROM orders o JOIN users u ON u.id = o.user_id WHERE name = 'Ann'",
    "SELECT s.email FROM (SELECT email, id FROM users) s LIMIT 1",
    "SELECT s.email FROM (SELECT * FROM users) s LIMIT 1",
    "SELECT s.email FROM (SELECT name AS email FROM users) s LIMIT 1",
    "SELECT e FROM users AS users (a, e) LIMIT 1",
    "WITH w AS (SELECT email FROM users) SELECT w.email FROM w LIMIT 1",
    "WITH w (mail) AS (SELECT email FROM users) SELECT mail FROM w LIMIT 1",
    "WITH users AS (SELECT 'x'::text AS email) SELECT email FROM users",
    (
        "WITH RECURSIVE w AS (SELECT id, email FROM users UNION ALL SELECT w.id + 9, w.email FROM w WHERE w.id < 3)"
        " SELECT email FROM w LIMIT 1"
    ),
    "SELECT name FROM users ORDER BY email LIMIT 1",
    "SELECT name AS email FROM users ORDER BY email LIMIT 1",
    "SELECT count(*)::text FROM users GROUP BY email LIMIT 1",
    "SELECT (SELECT email FROM orders WHERE orders.user_id = users.id) FROM users LIMIT 1",
    "SELECT (SELECT name FROM orders WHERE user_id = users.id LIMIT 1) FROM users LIMIT 1",
    "SELECT max(u.email) FROM users u, LATERAL (SELECT o.total FROM orders o WHERE o.user_id = u.id) x",
    "SELECT (u).email FROM users u LIMIT 1",
    "SELECT users::text FROM users LIMIT 1",
    "SELECT row_to_json(u)::text FROM users u LIMIT 1",
    'SELECT "Mixed é"::text /* é */ FROM "users" LIMIT 1',
    "SELECT \"Mixed é\"::text || 'é' || EMAIL FROM Users LIMIT 1",
    "SELECT email FROM all_users() LIMIT 1",
    "SELECT email FROM pairs()",
    "SELECT p.email FROM pairs() AS p",
    "SELECT helper(1)::text",
    "SELECT public.helper(2)::text",
    "SELECT (ROW('a', 1)::pair).email",
    "SELECT nextval('numbers')::text",
    "SELECT 'users'::regclass::text",
    "UPDATE users SET email = email WHERE id = 1 RETURNING email",
    "UPDATE users u SET email = o.email FROM orders o WHERE o.user_id = u.id AND false RETURNING u.email",
    (
        "INSERT INTO users (id, email) VALUES (1, 'q') ON CONFLICT (id) DO UPDATE SET email = excluded.email"
        " RETURNING users.email"
    ),
    "DELETE FROM users USING orders WHERE users.id = orders.id AND users.email = 'n' RETURNING name",
    "SELECT body FROM notes FOR UPDATE OF notes",
    "SELECT email FROM users UNION SELECT body FROM notes ORDER BY email LIMIT 1",
    "SELECT name FROM users WHERE EXISTS (SELECT FROM orders WHERE orders.email <> users.email) LIMIT 1",
    "SELECT string_agg(email, ',' ORDER BY name) FILTER (WHERE id > 0) FROM users",
    "SELECT (lag(email) OVER w) FROM users WINDOW w AS (PARTITION BY name ORDER BY id) LIMIT 1",
    "VALUES ('users', 'email'); SELECT 'a'::text",
    "SELECT CASE WHEN u.id = 1 THEN u.email ELSE u.name END FROM users u LIMIT 1",
)

#: Bodies of PL/pgSQL functions that return text.
PLPGSQL_BODIES = (
    "DECLARE v users.email%TYPE; BEGIN SELECT u.email INTO v FROM users u WHERE id = 1; RETURN v; END",
    "DECLARE r users%ROWTYPE; BEGIN SELECT * INTO STRICT r FROM users LIMIT 1; RETURN r.email; END",
    "DECLARE r users; BEGIN r.email := 'x'; RETURN r.email || 'users.email'; END",
    "DECLARE r record; BEGIN FOR r IN SELECT email, name FROM users LOOP\n  RETURN r.email; END LOOP; RETURN ''; END",
    "DECLARE r record; BEGIN FOR r IN SELECT name AS email FROM users LOOP RETURN r.email; END LOOP; RETURN ''; END",
    "DECLARE email text := 'v'; BEGIN RETURN email; END",
    "DECLARE v text := (SELECT max(email) FROM users); BEGIN RETURN v; END",
    "DECLARE c CURSOR FOR SELECT email FROM users; r record; BEGIN\n OPEN c; FETCH c INTO r; CLOSE c; RETURN r.email; END",
    "BEGIN PERFORM email FROM users; RETURN 'x'; END",
    "BEGIN\n  -- users.email\n  IF EXISTS (SELECT FROM users WHERE email IS NULL) THEN RETURN 'a'; END IF;\n  RETURN 'é';\nEND",
    "BEGIN RETURN (SELECT o.email FROM orders o LIMIT 1); END",
    "BEGIN EXECUTE 'SELECT email FROM users'; RETURN ''; END",
    "DECLARE v text; BEGIN UPDATE users SET email = email WHERE id = 1 RETURNING email INTO v; RETURN v; END",
    (
        "DECLARE n int; BEGIN n := helper(1); CASE n WHEN 1, 2 THEN RETURN (SELECT email FROM users LIMIT 1);"
        " ELSE RETURN 'z'; END CASE; END"
    ),
    "BEGIN INSERT INTO notes (id, body) SELECT id, email FROM users; RETURN ''; END",
    "DECLARE m pair; BEGIN m.email := 'p'; RETURN m.email; END",
    (
        "BEGIN BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN RETURN (SELECT name FROM users LIMIT 1); END;"
        " RETURN ''; END"
    ),
    "DECLARE v text; BEGIN FOR v IN SELECT email FROM other.users LOOP NULL; END LOOP; RETURN v; END",
    "DECLARE a int; b text; BEGIN SELECT id, email INTO a, b FROM users ORDER BY email LIMIT 1; RETURN b; END",
    (
        "DECLARE u users; BEGIN SELECT * INTO u FROM users LIMIT 1; u.email := (u).name;"
        " IF u.id = 0 THEN RETURN u.name; ELSIF (SELECT count(email) FROM orders) = 0 THEN RETURN '';"
        " ELSE UPDATE users SET name = u.email WHERE id = u.id; END IF; RETURN ''; END"
    ),
    (
        "BEGIN FOR i IN 1..(SELECT max(id) FROM users) LOOP FOR j IN REVERSE 2..1 LOOP PERFORM name FROM users;"
        " END LOOP; PERFORM email FROM orders; END LOOP; RETURN ''; END"
    ),
    (
        "DECLARE t text; BEGIN FOREACH t IN ARRAY (SELECT array_agg(email) FROM users) LOOP"
        " INSERT INTO notes SELECT total, email FROM orders; END LOOP; RETURN t; END"
    ),
    (
        "DECLARE r record; n int := 0; BEGIN WHILE n < (SELECT count(email) FROM users) LOOP n := n + 1;"
        " EXIT WHEN n > (SELECT max(total) FROM orders); END LOOP; <<again>> LOOP PERFORM name FROM users;"
        " EXIT again; END LOOP; RETURN ''; END"
    ),
    "DECLARE r users; BEGIN SELECT name, id INTO r.email, r.id FROM users LIMIT 1; RETURN r.name; END",
    "#variable_conflict use_variable\nDECLARE email text := 'v'; BEGIN PERFORM email, name FROM users; RETURN ''; END",
    "#variable_conflict use_column\nDECLARE email text := 'v'; BEGIN PERFORM email FROM users; RETURN email; END",
    (
        "DECLARE c CURSOR (k int) FOR SELECT email FROM users WHERE id = k; BEGIN FOR r IN c(1) LOOP"
        " RETURN r.email; END LOOP; RETURN ''; END"
    ),
    "DECLARE c refcursor; v text; BEGIN OPEN c FOR SELECT email FROM users; FETCH c INTO v; CLOSE c; RETURN v; END",
    ("BEGIN RETURN (SELECT u.email FROM all_users() AS u LIMIT 1); END"),
    "BEGIN RAISE DEBUG 'users.email %', (SELECT count(email) FROM users); RETURN 'users'; END",
)

#: The rename -> the kind, schema, name and column of what it renames, and the new name.
RENAMES = {
    "ALTER TABLE users RENAME email TO mail": ("column", "public", "users", "email", "mail"),
    "ALTER TABLE users RENAME name TO full_name": ("column", "public", "users", "name", "full_name"),
    "ALTER TABLE orders RENAME email TO mail": ("column", "public", "orders", "email", "mail"),
    "ALTER TABLE other.users RENAME email TO mail": ("column", "other", "users", "email", "mail"),
    "ALTER TYPE pair RENAME ATTRIBUTE email TO mail": ("column", "public", "pair", "email", "mail"),
    'ALTER TABLE users RENAME "Mixed é" TO "new é"': ("column", "public", "users", "Mixed é", '"new é"'),
    "ALTER TABLE users RENAME TO people": ("relation", "public", "users", None, "people"),
    "ALTER TABLE orders RENAME TO purchases": ("relation", "public", "orders", None, "purchases"),
    "ALTER TABLE notes RENAME TO remarks": ("relation", "public", "notes", None, "remarks"),
    "ALTER TABLE other.users RENAME TO people": ("relation", "other", "users", None, "people"),
    "ALTER FUNCTION helper(int) RENAME TO assist": ("function", "public", "helper", None, "assist"),
    "ALTER FUNCTION pairs() RENAME TO couples": ("function", "public", "pairs", None, "couples"),
    "ALTER SEQUENCE numbers RENAME TO counts": ("sequence", "public", "numbers", None, "counts"),
    "ALTER TYPE pair RENAME TO couple": ("relation", "public", "pair", None, "couple"),
}

#: Queries of views, besides those of `SQL_BODIES` that are queries.
VIEW_QUERIES = (
    "SELECT * FROM users",
    "SELECT u.* FROM users u JOIN orders o ON o.user_id = u.id",
    "SELECT id, total FROM users JOIN orders USING (id)",
    "SELECT total FROM users JOIN orders USING (id, email) WHERE email > ''",
    "SELECT * FROM users NATURAL JOIN orders",
    "SELECT j.total FROM (users JOIN orders USING (id)) AS j",
    "SELECT j.id FROM users JOIN orders USING (id) AS j",
    "SELECT a.name FROM users a LEFT JOIN users b ON a.id = b.id AND b.email = 'x'",
    "SELECT u.name, n.body FROM users u CROSS JOIN LATERAL (SELECT body FROM notes WHERE notes.id = u.id) n",
    "SELECT rank() OVER (PARTITION BY email ORDER BY id) AS r FROM users",
    "SELECT email, count(*) FROM users GROUP BY GROUPING SETS ((email), ())",
    "SELECT DISTINCT ON (name) email FROM users ORDER BY name, id",
    "SELECT name FROM users WHERE (id, email) IN (SELECT user_id, email FROM orders)",
    "SELECT name FROM users WHERE id = ANY (ARRAY(SELECT total FROM orders))",
    "SELECT x.n FROM (VALUES (1), (2)) AS x (n) JOIN users ON users.id = x.n",
    "SELECT name FROM users TABLESAMPLE system (50)",
    "SELECT g, u.email FROM users u, generate_series(1, u.id) AS g",
    "SELECT id FROM users INTERSECT SELECT user_id FROM orders",
    "WITH w AS (SELECT id, email AS name FROM users) SELECT w.name FROM w JOIN notes ON notes.id = w.id",
    "SELECT (SELECT max(total) FROM orders o WHERE o.user_id = users.id) AS m FROM users",
    "SELECT o.name FROM (SELECT id, name FROM users) o, orders WHERE orders.id = o.id",
    "SELECT coalesce(u.email, o.email) AS e FROM users u FULL JOIN orders o ON u.id = o.user_id",
    "SELECT x.email FROM users AS x (key, email, label)",
    "SELECT id FROM users WHERE xmin IS NOT NULL",
    "TABLE notes",
)
