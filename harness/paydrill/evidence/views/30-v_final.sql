-- The last definite final read of each order: shown, or gone (404, 410). What was not answered decides nothing.
SELECT m.intent, m.order_ref, m.op, m.t_inv_ns, m.t_ret_ns, m.outcome = 'ok' AS shown,
  m.said AS state, CASE WHEN m.outcome = 'ok' THEN m.said_class END AS class,
  CASE WHEN m.outcome = 'ok' THEN m.said_amount END AS amount,
  CASE WHEN m.outcome = 'ok' THEN m.said_currency END AS currency
FROM m_op AS m
WHERE m.kind = 'final' AND m.strong AND (m.outcome = 'ok' OR (m.outcome = 'fail' AND m.status IN (404, 410)))
QUALIFY row_number() OVER (PARTITION BY m.intent, m.order_ref ORDER BY m.t_ret_ns DESC, m.op DESC) = 1
