-- rows: intent
-- One wide row an intent: outcome, consent, money, what was asked for, and the money band
-- `lo` ≤ net ≤ `hi`. consent is 0 until the customer asked to pay.
WITH ops AS (
  SELECT intent,
    count(*) FILTER (WHERE kind = 'pay') AS pays,
    coalesce(bool_or(said_paid), false) AS said_paid,
    coalesce(bool_or(kind IN ('read', 'final', 'create') AND said_paid), false) AS read_paid,
    coalesce(bool_or(kind = 'pay' AND sout = 'ok'), false) AS accepted,
    coalesce(bool_or(kind IN ('pay', 'create') AND sout = 'info'), false) AS unknown,
    arg_min(said, t_ret_ns) FILTER (WHERE kind = 'create' AND outcome = 'ok') AS created_state
  FROM m_op WHERE intent IS NOT NULL GROUP BY intent
), asks AS (
  SELECT intent,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND outcome <> 'fail'), 0)::BIGINT AS refund_asked,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND outcome = 'ok'), 0)::BIGINT AS refund_acked,
    coalesce(bool_or(kind = 'cancel' AND outcome <> 'fail'), false) AS cancel_asked,
    coalesce(bool_or(kind = 'cancel' AND outcome = 'ok'), false) AS cancel_acked,
    max(acked_ns) FILTER (WHERE kind = 'cancel') AS cancel_ns
  FROM m_ask GROUP BY intent
), finals AS (
  SELECT intent,
    count(*) FILTER (WHERE shown) AS shown,
    count(*) FILTER (WHERE NOT shown) AS gone,
    CASE WHEN bool_or(class = 'paid') THEN 'paid' ELSE arg_max(class, t_ret_ns) END AS final_class,
    max(t_inv_ns) AS final_ns
  FROM v_final WHERE intent IS NOT NULL GROUP BY intent
), wide AS (
  SELECT i.intent, i.cls, i.amount, i.currency,
    coalesce(o.pays, 0) AS pays, coalesce(o.said_paid, false) AS said_paid, coalesce(o.read_paid, false) AS read_paid,
    coalesce(o.accepted, false) AS accepted, o.created_state,
    CASE WHEN o.said_paid THEN 'ok' WHEN o.accepted THEN 'accepted' WHEN o.unknown OR o.intent IS NULL THEN 'info' ELSE 'fail' END AS outcome,
    CASE WHEN coalesce(o.pays, 0) > 0 THEN i.amount ELSE 0 END AS consent,
    coalesce(n.objects, 0) AS objects, coalesce(n.roots, 0) AS roots, coalesce(n.gross, 0) AS gross,
    coalesce(n.refunded, 0) AS refunded, coalesce(n.psp_back, 0) AS psp_back, coalesce(n.net, 0) AS net,
    coalesce(n.other_net, 0) AS other_net, n.other_currency, coalesce(n.least_root, 0) AS least_root,
    coalesce(n.pending, 0) AS pending, coalesce(n.pending_captures, 0) AS pending_captures, coalesce(n.touched, 0) AS touched,
    coalesce(a.refund_asked, 0) AS refund_asked, coalesce(a.refund_acked, 0) AS refund_acked,
    coalesce(a.cancel_asked, false) AS cancel_asked, coalesce(a.cancel_acked, false) AS cancel_acked, a.cancel_ns,
    coalesce(f.shown, 0) AS shown, coalesce(f.gone, 0) AS gone, f.final_class, f.final_ns
  FROM intent AS i
  LEFT JOIN ops AS o ON o.intent = i.intent
  LEFT JOIN asks AS a ON a.intent = i.intent
  LEFT JOIN v_net AS n ON n.intent = i.intent
  LEFT JOIN finals AS f ON f.intent = i.intent
)
SELECT *, shown = 0 AND gone > 0 AS lost,
  CASE WHEN cancel_acked THEN 0 ELSE greatest(consent - refund_acked, 0) END AS hi,
  CASE WHEN NOT said_paid OR cancel_asked OR (shown = 0 AND gone > 0) THEN 0
    ELSE greatest(consent - refund_asked - psp_back, 0) END AS lo
FROM wide
