-- id: I-04 | severity: S1 | bucket: merchant | kind: query
-- title: No acknowledged order is lost
-- needs: intent op | uses: sut_fact | events: create pay cancel final fact
-- rule: Every order that an answer acknowledged is shown by the final strong public read, with the acknowledged total, in a state that may follow. No answer to that read is undecided; where the database was read too, it must agree.
-- pop: SELECT 'i' || intent || '/' || coalesce(order_ref, '?') AS subject, intent, order_ref, coalesce(bool_or(said_paid), false) AS said_paid, min(t_ret_ns) FILTER (WHERE said_paid) AS paid_ns,
-- pop:   arg_min(said_amount, t_ret_ns) FILTER (WHERE kind = 'create') AS acked_amount, arg_min(said_currency, t_ret_ns) FILTER (WHERE kind = 'create') AS acked_currency
-- pop: FROM m_op WHERE outcome = 'ok' AND kind IN ('create', 'pay', 'read') AND intent IS NOT NULL
-- pop: GROUP BY intent, order_ref HAVING bool_or(kind IN ('create', 'pay') OR said_paid)
SELECT subject, pop.intent,
  CASE
    WHEN f.op IS NULL THEN NULL
    WHEN NOT f.shown THEN false
    WHEN coalesce(f.amount <> acked_amount OR f.currency <> acked_currency, false) THEN false
    WHEN pop.said_paid AND (f.class IS NULL OR f.t_inv_ns < paid_ns) THEN NULL
    WHEN pop.said_paid AND f.class NOT IN ('paid', 'refunded') AND NOT (i.cancel_asked OR i.refund_asked > 0) THEN false
    WHEN NOT getvariable('orders_given') THEN true
    WHEN d.orders IS NULL THEN false
    WHEN d.class <> d.last_class OR d.class = f.class OR d.class IS NULL OR f.class IS NULL THEN true
    WHEN CASE WHEN d.read_ns < f.t_inv_ns THEN d.class ELSE f.class END IN ('open', 'review') THEN true
    WHEN (i.cancel_asked OR i.refund_asked > 0)
      AND CASE WHEN d.read_ns < f.t_inv_ns THEN f.class ELSE d.class END IN ('refunded', 'cancelled') THEN true
    ELSE false
  END AS held,
  i.amount, i.currency,
  CASE
    WHEN f.op IS NULL THEN 'its final read was not answered'
    WHEN NOT f.shown AND d.orders > 0 THEN 'read_and_database_differ'
    WHEN NOT f.shown THEN 'acknowledged and gone'
    WHEN coalesce(f.amount <> acked_amount OR f.currency <> acked_currency, false) THEN 'shown with another total than acknowledged'
    WHEN pop.said_paid AND f.class IS NULL THEN 'shown in a state that the target does not map'
    WHEN pop.said_paid AND f.t_inv_ns < paid_ns THEN 'its final read began before it was acknowledged as paid'
    WHEN pop.said_paid AND f.class NOT IN ('paid', 'refunded') AND NOT (i.cancel_asked OR i.refund_asked > 0) THEN 'acknowledged as paid, then no longer paid'
    ELSE 'read_and_database_differ'
  END AS why
FROM pop
LEFT JOIN v_intent AS i ON i.intent = pop.intent
LEFT JOIN v_final AS f ON f.intent = pop.intent AND f.order_ref = pop.order_ref
LEFT JOIN v_order AS d ON d.intent = pop.intent
