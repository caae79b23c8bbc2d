-- Every change of state with its cause. t_sut_us is the database's clock.
SELECT 'order' AS kind, order_id AS ref, seq, nullif(from_state, '') AS "from", to_state AS "to", cause, cause_ref,
       (extract(epoch FROM at) * 1000000)::bigint AS t_sut_us FROM order_history
UNION ALL
SELECT 'payment', payment_id, seq, nullif(from_state, ''), to_state, cause, cause_ref,
       (extract(epoch FROM at) * 1000000)::bigint FROM payment_history
UNION ALL
SELECT 'refund', refund_id, seq, nullif(from_state, ''), to_state, cause, cause_ref,
       (extract(epoch FROM at) * 1000000)::bigint FROM refund_history
