-- id: I-31 | severity: S0 | bucket: customer | kind: query
-- title: Answers are true
-- needs: intent intent_token op psp_effect | uses: timeline | events: pay read final request capture decline
-- rule: Paid was said: a capture exists on that token (a read that says paid: on any token of the intent). Every payment op of a token failed definitely, after answers have settled what was lost: no capture on it, ever. Lost answers and 5xx are unknown and promise nothing.
-- pop: SELECT 'token' || t.token AS subject, t.intent, i.amount, i.currency, t.says, coalesce(r.captured, 0) AS captured, coalesce(r.pending, 0) AS pending FROM (
-- pop:   SELECT token, min(intent) AS intent, CASE WHEN bool_or(said_paid) THEN 'paid' WHEN bool_and(sout = 'fail') THEN 'failed' END AS says FROM m_op WHERE kind = 'pay' AND token IS NOT NULL GROUP BY token
-- pop: ) AS t LEFT JOIN intent AS i ON i.intent = t.intent LEFT JOIN (SELECT token, sum(captured) AS captured, sum(pending) AS pending FROM v_root WHERE token IS NOT NULL GROUP BY token) AS r ON r.token = t.token WHERE t.says IS NOT NULL
-- pop: UNION ALL SELECT 'reads of i' || v.intent, v.intent, v.amount, v.currency, 'read', coalesce(r.captured, 0), coalesce(r.pending, 0) FROM v_intent AS v LEFT JOIN (SELECT intent, sum(captured) AS captured, sum(pending) AS pending FROM v_root WHERE intent IS NOT NULL GROUP BY intent) AS r ON r.intent = v.intent WHERE v.read_paid
SELECT subject, intent,
  CASE
    WHEN says = 'failed' THEN CASE WHEN captured > 0 THEN false WHEN pending > 0 THEN NULL ELSE true END
    WHEN captured > 0 THEN true
    WHEN pending > 0 OR NOT getvariable('psp_whole') THEN NULL
    ELSE false
  END AS held,
  CASE WHEN says = 'failed' THEN captured::BIGINT ELSE amount END AS amount, currency,
  CASE says
    WHEN 'failed' THEN 'said failed, but captured'
    WHEN 'paid' THEN 'said paid, but never captured'
    ELSE 'shown as paid, but never captured'
  END AS why
FROM pop
