-- A small shop: customers, what they ordered, how they paid. Everything is computed, so that each load is the same.
-- Run by psql as a superuser. The passwords of the two accounts come from the environment, never from an argument.
\set ON_ERROR_STOP on
\getenv reader_password GATEHOUSE_READER_PASSWORD
\getenv writer_password GATEHOUSE_WRITER_PASSWORD
SET log_statement = 'none';
CREATE ROLE app_ro LOGIN PASSWORD :'reader_password';
CREATE ROLE app_rw LOGIN PASSWORD :'writer_password';
RESET log_statement;
CREATE DATABASE orders OWNER app_rw;
\connect orders
GRANT ALL ON SCHEMA public TO app_rw;
SET SESSION AUTHORIZATION app_rw;

CREATE TABLE customers (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL UNIQUE,
    phone      text,
    ssn        text NOT NULL UNIQUE,
    born       date NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE products (
    id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL UNIQUE,
    price numeric(10, 2) NOT NULL CHECK (price > 0)
);
CREATE TABLE orders (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    status      text NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'returned')),
    placed_at   timestamptz NOT NULL
);
CREATE TABLE order_items (
    order_id   integer NOT NULL REFERENCES orders,
    product_id integer NOT NULL REFERENCES products,
    quantity   integer NOT NULL CHECK (quantity > 0),
    price      numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
CREATE TABLE payments (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    integer NOT NULL UNIQUE REFERENCES orders,
    card_number text NOT NULL,
    amount      numeric(10, 2) NOT NULL,
    paid_at     timestamptz NOT NULL
);

-- The check digit of ISO/IEC 7812-1, so that card numbers look like card numbers to whoever looks for them.
CREATE FUNCTION with_check_digit(digits text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT digits || ((10 - sum(CASE WHEN i % 2 = 1 THEN d * 2 / 10 + d * 2 % 10 ELSE d END) % 10) % 10)::text
    FROM (SELECT i, substr(reverse(digits), i, 1)::integer AS d FROM generate_series(1, length(digits)) AS i) AS each
$$;

INSERT INTO customers (name, email, phone, ssn, born, created_at)
SELECT first || ' ' || last,
       lower(first) || '.' || lower(last) || n || '@example.com',
       CASE WHEN n % 7 <> 0 THEN format('+1 555 %s %s', lpad((n * 37 % 1000)::text, 3, '0'), lpad((n * 7919 % 10000)::text, 4, '0')) END,
       format('%s-%s-%s', lpad((100 + n * 13 % 560)::text, 3, '0'), lpad((1 + n * 29 % 99)::text, 2, '0'), lpad((1 + n * 6151 % 9999)::text, 4, '0')),
       date '1950-01-01' + (n * 6700417 % 19000),
       timestamptz '2023-01-01 08:00+00' + n * interval '2 days 3 hours'
FROM generate_series(1, 240) AS n,
     LATERAL (SELECT (ARRAY['Ada', 'Bruno', 'Chiara', 'Dmitri', 'Elif', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Keiko', 'Liam'])[1 + n % 12] AS first,
                     (ARRAY['Abbott', 'Bauer', 'Castro', 'Dubois', 'Evans', 'Fischer', 'Garcia', 'Haas', 'Ito', 'Jensen', 'Kowalski'])[1 + n % 11] AS last) AS names;

INSERT INTO products (title, price)
SELECT adjective || ' ' || noun, round((5 + (a * 8 + b) * 7.35)::numeric, 2)
FROM unnest(ARRAY['Small', 'Large', 'Folding', 'Steel', 'Oak']) WITH ORDINALITY AS adjectives (adjective, a),
     unnest(ARRAY['Desk', 'Lamp', 'Chair', 'Shelf', 'Stool', 'Bench', 'Cabinet', 'Mirror']) WITH ORDINALITY AS nouns (noun, b);

INSERT INTO orders (customer_id, status, placed_at)
SELECT 1 + n * 31 % 240, (ARRAY['paid', 'shipped', 'shipped', 'open', 'returned', 'shipped'])[1 + n % 6],
       timestamptz '2024-06-01 09:30+00' + n * interval '11 hours 7 minutes'
FROM generate_series(1, 900) AS n;

INSERT INTO order_items (order_id, product_id, quantity, price)
SELECT orders.id, products.id, 1 + (orders.id + products.id) % 3, products.price
FROM orders JOIN products ON (orders.id * 7 + products.id * 3) % 20 = 0;

INSERT INTO payments (order_id, card_number, amount, paid_at)
SELECT orders.id,
       with_check_digit(CASE WHEN orders.id % 3 = 0 THEN '5' ELSE '4' END || lpad((orders.id::bigint * 48271 * 65537 % 100000000000000)::text, 14, '0')),
       sum(order_items.quantity * order_items.price), orders.placed_at + interval '4 minutes'
FROM orders JOIN order_items ON order_items.order_id = orders.id
WHERE status <> 'open'
GROUP BY orders.id;

DROP FUNCTION with_check_digit;

CREATE VIEW customer_contacts AS SELECT id, name, email AS contact FROM customers;
CREATE VIEW revenue AS
    SELECT date_trunc('month', paid_at)::date AS month, count(*) AS payments, sum(amount) AS total FROM payments GROUP BY 1;
CREATE VIEW recent_payments AS
    SELECT payments.id, customers.name, payments.card_number, payments.amount, payments.paid_at
    FROM payments JOIN orders ON orders.id = payments.order_id JOIN customers ON customers.id = orders.customer_id
    ORDER BY payments.paid_at DESC LIMIT 100;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_ro;
ANALYZE customers, products, orders, order_items, payments;
