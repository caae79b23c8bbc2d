-- id: I-02 | severity: S1 | bucket: transient | kind: query
-- title: Nobody is charged twice, not even for a while
-- needs: intent intent_token op psp_effect | uses: timeline | events: pay capture refund chargeback
-- rule: At most one object of the PSP captures money for an intent, and all captures together are at most the consent. A refund by the target does not undo it; a reversal that the PSP made by itself does.
-- pop: SELECT 'i' || intent AS subject, * FROM v_intent WHERE objects > 0
SELECT subject, intent,
  roots <= 1 AND gross - psp_back <= consent AS held,
  CASE WHEN gross - psp_back > consent THEN gross - psp_back - consent ELSE least_root END AS amount,
  currency,
  CASE
    WHEN roots > 1 AND net <= consent THEN 'charged more than once, refunded later'
    WHEN roots > 1 THEN 'charged more than once'
    ELSE 'more was captured than agreed'
  END AS why
FROM pop
