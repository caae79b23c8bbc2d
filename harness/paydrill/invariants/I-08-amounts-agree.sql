-- id: I-08 | severity: S0 | bucket: customer | kind: query
-- title: Everybody names the same amount and currency
-- needs: intent intent_token op psp_effect | uses: sut_fact | events: create pay capture final fact
-- rule: For an intent that was paid or captured, every amount that is known is the consented one: in answers, in each object of the PSP (never their sum: that is I-01), in the target's orders and payments. Partial captures of one object count together.
-- pop: SELECT 'i' || intent AS subject, intent, amount AS agreed, currency AS agreed_currency, pending_captures FROM v_intent WHERE said_paid OR roots > 0 OR gross > 0
SELECT subject, pop.intent,
  CASE
    WHEN coalesce(a.least, agreed) = agreed AND coalesce(a.greatest, agreed) = agreed AND a.other_currency IS NULL THEN true
    WHEN pending_captures > 0 THEN NULL
    ELSE false
  END AS held,
  CASE WHEN a.other_currency IS NOT NULL THEN agreed
    ELSE greatest(coalesce(a.greatest, agreed) - agreed, agreed - coalesce(a.least, agreed)) END AS amount,
  agreed_currency AS currency,
  CASE WHEN a.other_currency IS NOT NULL THEN 'another currency than agreed' ELSE 'another amount than agreed' END
    || coalesce(': ' || regexp_replace(a.example, ' [0-9?].*$', ''), '') AS why
FROM pop
LEFT JOIN m_amount AS a ON a.intent = pop.intent
