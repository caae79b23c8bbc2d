-- Refunds and cancels that a customer or the support asked for: one row a wish, whatever the number of
-- tries. A refund that was given a name (refund_ref) is one wish under all its keys; else each key is one.
-- `outcome` info = it may have been carried out. A refund without an amount is one of everything.
SELECT m.intent, m.kind,
  CASE WHEN bool_or(m.sout = 'ok') THEN 'ok' WHEN bool_or(m.sout = 'info') THEN 'info' ELSE 'fail' END AS outcome,
  coalesce(max(coalesce(m.amount, i.amount)) FILTER (WHERE m.sout <> 'fail'), max(coalesce(m.amount, i.amount))) AS amount,
  min(m.t_inv_ns) AS asked_ns,
  min(m.t_ret_ns) FILTER (WHERE m.outcome = 'ok') AS acked_ns
FROM m_op AS m JOIN intent AS i ON i.intent = m.intent
WHERE m.kind IN ('refund', 'cancel')
GROUP BY m.intent, m.kind, m.refund_ref, CASE WHEN m.refund_ref IS NULL THEN m.ask END
