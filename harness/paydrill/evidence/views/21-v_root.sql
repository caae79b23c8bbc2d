-- One row an object of the PSP: what was held, taken and given back. `kept` is what the customer lost.
-- The token is that of the capture, if there was one: metadata and keys are the target's and prove nothing.
SELECT r.*, t.intent, r.captured - r.refunded - r.psp_back AS kept, coalesce(p.pending, 0) AS pending,
  coalesce(p.pending_captures, 0) AS pending_captures
FROM (
  SELECT coalesce(pi, 'eff' || eff) AS root, any_value(psp) AS psp,
    CASE WHEN bool_or(kind = 'capture' AND status = 'done')
      THEN min(token) FILTER (WHERE kind = 'capture' AND status = 'done')
      ELSE coalesce(min(token) FILTER (WHERE kind = 'auth'), min(token)) END AS token,
    count(*) FILTER (WHERE kind = 'capture' AND status = 'done' AND token IS NULL) AS foreign_captures,
    coalesce(sum(amount) FILTER (WHERE kind = 'auth' AND status = 'done'), 0)::BIGINT AS authed,
    coalesce(sum(amount) FILTER (WHERE kind = 'capture' AND status = 'done'), 0)::BIGINT AS captured,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND status = 'done' AND NOT by_psp), 0)::BIGINT AS refunded,
    coalesce(sum(amount) FILTER (WHERE status = 'done' AND (kind = 'chargeback' OR (kind = 'refund' AND by_psp))), 0)::BIGINT AS psp_back,
    min(currency) FILTER (WHERE kind IN ('auth', 'capture')) AS currency,
    max(currency) FILTER (WHERE kind IN ('auth', 'capture')) AS last_currency,
    min(t_ns) FILTER (WHERE kind = 'capture' AND status = 'done') AS cap_ns,
    max(t_ns) FILTER (WHERE kind = 'capture' AND status = 'done') AS last_cap_ns,
    max(t_ns) FILTER (WHERE kind IN ('refund', 'chargeback') AND status = 'done') AS back_ns
  FROM psp_effect GROUP BY coalesce(pi, 'eff' || eff)
) AS r
LEFT JOIN intent_token AS t ON t.token = r.token
LEFT JOIN (
  SELECT root, count(*) AS pending, count(*) FILTER (WHERE kind = 'capture') AS pending_captures
  FROM m_pending GROUP BY root
) AS p ON p.root = r.root
