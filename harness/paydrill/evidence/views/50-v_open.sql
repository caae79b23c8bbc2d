-- view
-- Everything that has not settled, with when that was seen: per order the later of the two looks, the
-- public read or the database. An order for which nothing was accepted or moved is abandoned and not
-- open in the state in which it was created: the one that the answer to its creation named, or the first
-- of its history, to which it goes back when what was set aside for it is let go. `known` is false where
-- the target does not map the state: nobody can say.
WITH idle AS (
  SELECT intent, created_state FROM v_intent WHERE NOT accepted AND NOT said_paid AND touched = 0
), beginning AS (
  SELECT ref, arg_min("to", seq) AS state FROM transition WHERE kind = 'order' GROUP BY ref
)
SELECT f.intent, f.kind || ':' || f.ref AS object, f.state, f.read_ns AS seen_ns, f.class IS NOT NULL AS known,
  f.amount, f.currency
FROM sut_fact AS f LEFT JOIN idle ON idle.intent = f.intent LEFT JOIN v_final AS r ON r.intent = f.intent AND r.order_ref = f.ref
LEFT JOIN beginning AS b ON b.ref = f.ref AND idle.intent IS NOT NULL
WHERE f.snap = getvariable('snap') AND getvariable('sut_given')
  AND (f.class IN ('open', 'review') OR (f.class IS NULL AND f.state IS NOT NULL))
  AND NOT (f.kind = 'order' AND (f.intent IS NULL OR coalesce(f.state = idle.created_state, false) OR coalesce(f.state = b.state, false)
    OR coalesce(r.shown AND r.t_inv_ns > f.read_ns, false)))
UNION ALL
SELECT f.intent, 'read:' || f.op, f.state, f.t_inv_ns, f.class IS NOT NULL, f.amount, f.currency
FROM v_final AS f LEFT JOIN idle ON idle.intent = f.intent LEFT JOIN v_order AS d ON d.intent = f.intent
LEFT JOIN beginning AS b ON b.ref = f.order_ref AND idle.intent IS NOT NULL
WHERE f.shown AND (f.class IN ('open', 'review') OR f.class IS NULL)
  AND NOT coalesce(f.state = idle.created_state, false) AND NOT coalesce(f.state = b.state, false)
  AND NOT coalesce(d.read_ns >= f.t_inv_ns AND d.class IS NOT NULL AND d.open = 0, false)
UNION ALL
SELECT intent, 'outbox:' || ref, state, read_ns, true, NULL, NULL
FROM outbox_row WHERE snap = getvariable('outbox_snap') AND state = 'pending'
UNION ALL
SELECT r.intent, 'psp:' || p.root, 'pending ' || p.kind, getvariable('freeze_ns'), true, p.amount, r.currency
FROM m_pending AS p JOIN v_root AS r ON r.root = p.root
