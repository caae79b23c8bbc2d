-- What has not settled yet. An order that nobody has tried to pay is not work.
SELECT (SELECT count(*) FROM payments WHERE state IN ('submitted', 'unknown', 'requires_action', 'pending_async',
                                                      'authorised', 'capturing', 'voiding'))
     + (SELECT count(*) FROM orders WHERE state IN ('payment_pending', 'refund_pending'))
     + (SELECT count(*) FROM refunds WHERE state IN ('requested', 'submitted', 'unknown', 'pending'))
     + (SELECT count(*) FROM disputes WHERE booked_at IS NULL)
     + (SELECT count(*) FROM outbox WHERE sent_at IS NULL) AS open
