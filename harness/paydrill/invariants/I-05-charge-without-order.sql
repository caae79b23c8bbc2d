-- id: I-05 | severity: S0 | bucket: customer | kind: query
-- title: No charge without an order
-- needs: intent intent_token op psp_effect timeline | uses: sut_fact | events: create pay capture refund final fact
-- rule: Every charge has exactly one paid order, or is given back within T_comp of the capture and of the last heal. The public read says what is paid; where the database was read too, it must have exactly one paid order as well. Refunds that the customer asked for are no repair and have no deadline here.
-- pop: SELECT root AS subject, root AS pi, intent, kept, captured, currency, last_cap_ns, back_ns, pending FROM v_root WHERE captured > 0
SELECT subject, pi, intent,
  CASE
    WHEN has_order THEN true
    WHEN kept <= 0 THEN asked OR deadline_ns IS NULL OR back_ns <= deadline_ns
    WHEN has_order IS NULL OR pending > 0 OR deadline_ns IS NULL OR NOT getvariable('psp_whole') THEN NULL
    WHEN getvariable('freeze_ns') >= deadline_ns THEN false
    ELSE NULL
  END AS held,
  CASE WHEN kept > 0 THEN kept ELSE captured END AS amount, currency,
  CASE
    WHEN kept <= 0 THEN 'charged without an order, refunded too late'
    WHEN has_order IS NULL THEN 'its final read was not answered, or came before its order had settled'
    WHEN pending > 0 THEN 'the PSP had not finished with it'
    WHEN deadline_ns IS NULL THEN 'a fault was not healed, or no time line was kept'
    WHEN NOT getvariable('psp_whole') THEN 'the journal of the PSP is not whole'
    WHEN getvariable('freeze_ns') < deadline_ns THEN 'no order yet, and the drill ended before its time was over'
    WHEN paid_orders > 1 THEN 'charged, and several orders are paid by it'
    WHEN public_paid THEN 'charged, and the database has no paid order for it'
    ELSE 'charged, and no order is paid by it'
  END AS why
FROM (
  SELECT pop.*, i.intent AS known, d.paid + CASE WHEN i.refund_asked > 0 THEN d.refunded ELSE 0 END AS paid_orders,
    coalesce(i.refund_asked > 0 OR i.cancel_asked, false) AS asked,
    i.final_class = 'paid' OR (i.final_class = 'refunded' AND i.refund_asked > 0) AS public_paid,
    greatest(pop.last_cap_ns, coalesce(i.cancel_ns, 0), getvariable('heal_ns'))
      + CASE WHEN getvariable('heal_ns') IS NULL THEN NULL ELSE getvariable('t_comp_ns') END AS deadline_ns,
    CASE
      WHEN i.intent IS NULL THEN false
      WHEN getvariable('orders_given') AND NOT coalesce(d.open > 0 AND d.read_ns < i.final_ns, false)
        AND coalesce(d.paid + CASE WHEN i.refund_asked > 0 THEN d.refunded ELSE 0 END, 0) <> 1 THEN false
      WHEN i.lost THEN false
      WHEN i.shown = 0 OR i.final_class IS NULL THEN NULL
      WHEN i.final_class IN ('open', 'review') AND i.final_ns < greatest(pop.last_cap_ns, coalesce(getvariable('heal_ns'), 0)) + getvariable('t_comp_ns') THEN NULL
      ELSE i.final_class = 'paid' OR (i.final_class = 'refunded' AND i.refund_asked > 0)
    END AS has_order
  FROM pop
  LEFT JOIN v_intent AS i ON i.intent = pop.intent
  LEFT JOIN v_order AS d ON d.intent = pop.intent
)
