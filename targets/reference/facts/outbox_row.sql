SELECT event_ref AS ref, order_id AS order_ref, kind, seq,
       CASE WHEN sent_at IS NULL THEN 'pending' ELSE 'sent' END AS state
FROM outbox
