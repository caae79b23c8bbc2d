-- id: I-06 | severity: S0 | bucket: customer | kind: query
-- title: Nobody is charged who never sent their card
-- needs: intent_token op psp_effect | events: pay request capture refund
-- rule: Every charge is on a token that the harness issued, and that a client had sent before the charge. A history with gaps makes it undecided.
-- pop: SELECT root AS subject, root AS pi, intent, token, foreign_captures, captured, currency, cap_ns FROM v_root WHERE captured > 0
SELECT subject, pi, intent,
  CASE
    WHEN foreign_captures = 0 AND intent IS NOT NULL AND sent.sent_ns <= cap_ns THEN true
    WHEN foreign_captures = 0 AND NOT getvariable('history_whole') THEN NULL
    ELSE false
  END AS held,
  captured AS amount, currency,
  CASE
    WHEN foreign_captures > 0 THEN 'charged on a token that is not ours'
    WHEN intent IS NULL THEN 'charged on a token that was never issued'
    WHEN sent.sent_ns IS NULL THEN 'charged on a token that no client ever sent'
    ELSE 'charged before the client sent the token'
  END AS why
FROM pop
LEFT JOIN (SELECT token, min(t_inv_ns) AS sent_ns FROM op WHERE token IS NOT NULL GROUP BY token) AS sent
  ON sent.token = pop.token
