-- Effects that the PSP has begun and not ended: pending, with no later end of the same kind and amount.
SELECT e.eff, coalesce(e.pi, 'eff' || e.eff) AS root, e.kind, e.amount
FROM psp_effect AS e
WHERE e.status = 'pending' AND NOT EXISTS (
  FROM psp_effect AS ended
  WHERE ended.pi = e.pi AND ended.kind = e.kind AND ended.amount = e.amount
    AND ended.status <> 'pending' AND ended.t_ns >= e.t_ns AND ended.eff <> e.eff
)
