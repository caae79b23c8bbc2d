-- Where the reconciler has found the books to differ, and how it ended.
SELECT kind || ':' || subject AS ref, kind, psp, refs::text AS refs, amount, currency,
       (extract(epoch FROM found_at) * 1000000)::bigint AS found_us,
       (extract(epoch FROM resolved_at) * 1000000)::bigint AS resolved_us, how
FROM recon_breaks
