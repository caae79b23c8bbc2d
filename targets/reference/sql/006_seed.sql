-- Prices are odd on purpose: rounding and floating point have nowhere to hide.
INSERT INTO products (sku, title, unit_price, currency) VALUES
    ('tea-green',   'Green tea, 100 g',      435,   'USD'),
    ('tea-oolong',  'Oolong tea, 100 g',     820,   'USD'),
    ('cup',         'Porcelain cup',         115,   'USD'),
    ('pot',         'Tea pot',               1999,  'USD'),
    ('kettle',      'Kettle',                5905,  'USD'),
    ('tray',        'Bamboo tray',           1733,  'USD'),
    ('scale',       'Pocket scale',          2287,  'USD'),
    ('tin',         'Storage tin',           667,   'USD'),
    ('filter',      'Paper filters, 80',     329,   'USD'),
    ('grinder',     'Hand grinder',          8249,  'USD'),
    ('set-gift',    'Gift set',              12347, 'USD'),
    ('hot',         'Limited edition cup',   2999,  'USD');

INSERT INTO stock (sku, initial, available)
SELECT sku, units, units
FROM (SELECT sku, CASE WHEN sku = 'hot' THEN 200 ELSE 100000 END AS units FROM products) AS seeded;
