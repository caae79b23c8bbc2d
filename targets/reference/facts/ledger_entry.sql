-- The double-entry ledger. amount: minor units, a debit positive, a credit negative.
SELECT ref, line, account, amount, currency, psp, order_id AS order_ref, cause,
       (extract(epoch FROM at) * 1000000)::bigint AS t_sut_us
FROM ledger_entries
