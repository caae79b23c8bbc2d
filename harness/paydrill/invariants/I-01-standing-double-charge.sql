-- id: I-01 | severity: S0 | bucket: customer | kind: query
-- title: Nobody is charged more than they agreed to, at the end
-- needs: intent intent_token op psp_effect | uses: timeline | events: pay capture refund chargeback
-- rule: What the PSP took and kept on an intent's tokens is at most the consented amount, in its currency. Before anybody asked to pay, the consent is 0. While the PSP still works on a refund, or was not frozen, it is undecided.
-- pop: SELECT 'i' || intent AS subject, * FROM v_intent
SELECT subject, intent,
  CASE
    WHEN net <= consent AND other_net <= 0 THEN true
    WHEN pending > 0 OR NOT getvariable('psp_whole') THEN NULL
    ELSE false
  END AS held,
  CASE WHEN net > consent THEN net - consent ELSE other_net END AS amount,
  CASE WHEN net > consent THEN currency ELSE other_currency END AS currency,
  CASE
    WHEN net > consent AND consent = 0 THEN 'charged without having asked to pay'
    WHEN net > consent AND roots > 1 THEN 'charged more than once and not refunded'
    WHEN net > consent THEN 'charged more than agreed and not refunded'
    ELSE 'charged in another currency than agreed'
  END AS why
FROM pop
