-- rows: op
-- Operations with their settled outcome (`sout`).
SELECT o.op, o.intent, o.kind, o.token, o.order_ref, o.amount, o.t_inv_ns, o.t_ret_ns, o.outcome, o.status, o.code,
  o.refund_ref, o.said, o.said_class, o.said_amount, o.said_currency, o.strong, o.executed,
  {caller: coalesce(o.caller, ''), route: coalesce(o.route, ''), key: coalesce(o.idem_key, 'op' || o.op), body: coalesce(o.body, '')} AS ask,
  coalesce(s.outcome, o.outcome) AS sout,
  o.said_paid
FROM op AS o LEFT JOIN m_settle AS s ON s.op = o.op
