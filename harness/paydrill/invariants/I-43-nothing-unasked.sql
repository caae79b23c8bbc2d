-- id: I-43 | severity: S0 | bucket: merchant | kind: query
-- title: Nothing happens that nobody asked for
-- needs: intent intent_token op psp_effect | uses: timeline | events: pay cancel refund capture chargeback final
-- rule: What the API called paid is still paid at the end: the money kept is at least the consent, less the refunds asked for (acknowledged or unknown) and what the PSP itself took back. A cancel asked for, a surplus, a payment never acknowledged and an order that is lost (I-04 owns that) may be refunded by the target.
-- pop: SELECT 'i' || intent AS subject, intent, net, lo, currency, pending, refunded, gross FROM v_intent WHERE said_paid OR refunded > 0
SELECT subject, intent,
  CASE WHEN net >= lo THEN true WHEN pending > 0 OR NOT getvariable('psp_whole') THEN NULL ELSE false END AS held,
  lo - net AS amount, currency,
  CASE WHEN refunded > 0 THEN 'refunded although nobody asked' WHEN gross = 0 THEN 'acknowledged as paid, but nothing was captured'
    ELSE 'less was captured than acknowledged' END AS why
FROM pop
