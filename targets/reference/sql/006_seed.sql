-- Prices are odd on purpose: rounding and floating point have nowhere to hide.
INSERT INTO products (sku, title, price, currency) VALUES
    ('tea-green',   'Green tea, 100 g',      4.35,   'USD'),
    ('tea-oolong',  'Oolong tea, 100 g',     8.20,   'USD'),
    ('cup',         'Porcelain cup',         1.15,   'USD'),
    ('pot',         'Tea pot',               19.99,  'USD'),
    ('kettle',      'Kettle',                59.05,  'USD'),
    ('tray',        'Bamboo tray',           17.33,  'USD'),
    ('scale',       'Pocket scale',          22.87,  'USD'),
    ('tin',         'Storage tin',           6.67,   'USD'),
    ('filter',      'Paper filters, 80',     3.29,   'USD'),
    ('grinder',     'Hand grinder',          82.49,  'USD'),
    ('set-gift',    'Gift set',              123.47, 'USD'),
    ('odd-029',     'Tea bag',               0.29,   'USD'),
    ('hot',         'Limited edition cup',   29.99,  'USD'),
    ('matcha',      'Matcha, 30 g',          12.50,  'EUR'),
    ('oolong-cn',   'Dong Ding oolong',      68.00,  'CNY'),
    ('sencha',      'Sencha, 100 g',         1080,   'JPY'),
    ('hojicha',     'Hojicha, 100 g',        647,    'JPY'),
    ('karak',       'Karak blend',           2.150,  'KWD'),
    ('saffron',     'Saffron tea',           11.990, 'KWD');

INSERT INTO stock (sku, initial, available)
SELECT sku, units, units
FROM (SELECT sku, CASE WHEN sku = 'hot' THEN 200 ELSE 100000 END AS units FROM products) AS seeded;

INSERT INTO price_rules (version, active_from, promotions, tax) VALUES (
    1, '2024-01-01T00:00:00Z',
    '{"TEA15": {"percent": 15, "skus": null},
      "GIFT7": {"percent": 7, "skus": ["set-gift"]},
      "THIRD": {"percent": 33, "skus": null}}',
    '{"USD": 0, "EUR": 2000, "CNY": 1300, "JPY": 1000, "KWD": 0}'
);
