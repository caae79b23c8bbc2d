-- Every order, payment and refund as the database has it.
SELECT 'order' AS kind, id AS ref, NULL AS parent, client_ref, state, total AS amount, currency, version FROM orders
UNION ALL
SELECT 'payment', p.id, p.order_id, o.client_ref, p.state, p.amount, p.currency, p.version
FROM payments p JOIN orders o ON o.id = p.order_id
UNION ALL
SELECT 'refund', r.id, r.order_id, o.client_ref, r.state, r.amount, r.currency, r.version
FROM refunds r LEFT JOIN orders o ON o.id = r.order_id WHERE r.kind <> 'release'
