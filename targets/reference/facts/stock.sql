SELECT s.sku, s.initial, s.available AS "left", s.reserved, s.sold, p.unit_price, p.currency
FROM stock s JOIN products p USING (sku)
