-- One row an intent that the PSP knows: its money in the consented currency, and in any other.
SELECT r.intent,
  count(*) AS objects,
  count(*) FILTER (WHERE r.captured - r.psp_back > 0) AS roots,
  coalesce(sum(r.captured) FILTER (WHERE r.currency = i.currency), 0)::BIGINT AS gross,
  coalesce(sum(r.refunded) FILTER (WHERE r.currency = i.currency), 0)::BIGINT AS refunded,
  coalesce(sum(r.psp_back) FILTER (WHERE r.currency = i.currency), 0)::BIGINT AS psp_back,
  coalesce(sum(r.kept) FILTER (WHERE r.currency = i.currency), 0)::BIGINT AS net,
  coalesce(sum(r.kept) FILTER (WHERE r.currency <> i.currency), 0)::BIGINT AS other_net,
  min(r.currency) FILTER (WHERE r.currency <> i.currency AND r.kept > 0) AS other_currency,
  min(r.captured) FILTER (WHERE r.captured - r.psp_back > 0) AS least_root,
  sum(r.pending)::BIGINT AS pending,
  sum(r.pending_captures)::BIGINT AS pending_captures,
  sum(r.captured + r.authed)::BIGINT AS touched
FROM v_root AS r JOIN intent AS i ON i.intent = r.intent
GROUP BY r.intent
