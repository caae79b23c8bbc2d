-- id: I-15 | severity: S1 | bucket: open | kind: query
-- title: Everything settles in time
-- needs: intent op timeline | uses: psp_effect sut_fact transition outbox_row | events: create pay cancel refund capture final fact
-- rule: Of an intent that somebody tried to pay nothing is open at the last look: no order, payment, refund or event in the outbox of the target, nothing pending at the PSP. Open at a look that came T_settle or more after the heal and the end of the load is a finding; at an earlier look it is undecided. An order in the state in which it was created, for which nothing was accepted or moved, is abandoned, not open.
-- pop: SELECT 'i' || intent AS subject, intent, amount, currency, shown + gone AS looked, NULL AS stray_class, NULL AS stray_ns FROM v_intent WHERE pays > 0
-- pop: UNION ALL SELECT DISTINCT kind || ':' || source || ':' || ref, NULL, amount, currency, 1, coalesce(class, 'unmapped'), read_ns FROM sut_fact
-- pop: WHERE intent IS NULL AND kind <> 'order' AND snap = getvariable('snap') AND getvariable('sut_given')
SELECT subject, pop.intent,
  CASE
    WHEN coalesce(o.open, 0) > 0 OR coalesce(stray_class IN ('open', 'review'), false) THEN
      CASE WHEN coalesce(o.seen_ns, stray_ns)
        >= greatest(getvariable('heal_ns'), getvariable('load_end_ns')) + getvariable('t_settle_ns')
        AND getvariable('heal_ns') IS NOT NULL AND getvariable('load_end_ns') IS NOT NULL THEN false END
    WHEN coalesce(o.unmapped, 0) > 0 OR coalesce(stray_class = 'unmapped', false) THEN NULL
    WHEN looked > 0 OR getvariable('orders_given') THEN true
  END AS held,
  amount, currency,
  CASE
    WHEN coalesce(o.open, 0) > 0 OR coalesce(stray_class IN ('open', 'review'), false) THEN 'still open when everything should have settled'
    WHEN coalesce(o.unmapped, 0) > 0 OR stray_class IS NOT NULL THEN 'in a state that the target does not map'
    ELSE 'nobody could look whether it settled'
  END AS why
FROM pop
LEFT JOIN m_open AS o ON o.intent = pop.intent
