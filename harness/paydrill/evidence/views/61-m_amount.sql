-- Per intent the least and the greatest known amount, and a currency that is not the consented one.
SELECT a.intent, min(a.amount) AS least, max(a.amount) AS greatest,
  min(a.currency) FILTER (WHERE a.currency <> i.currency) AS other_currency,
  min(a.source || ' ' || coalesce(a.amount::VARCHAR, '?') || ' ' || coalesce(a.currency, ''))
    FILTER (WHERE a.amount <> i.amount OR a.currency <> i.currency) AS example
FROM v_amount AS a JOIN intent AS i ON i.intent = a.intent
GROUP BY a.intent
