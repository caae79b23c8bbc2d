-- Prices are stored in major units; a fact is in minor units.
SELECT s.sku, s.initial, s.available AS "left", s.reserved, s.sold,
       (p.price * CASE p.currency WHEN 'JPY' THEN 1 WHEN 'KWD' THEN 1000 ELSE 100 END)::bigint AS unit_price, p.currency
FROM stock s JOIN products p USING (sku)
