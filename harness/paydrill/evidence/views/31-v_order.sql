-- What the target's own database says of each intent's orders, in the last snapshot (a suspect).
SELECT intent, count(*) AS orders,
  count(*) FILTER (WHERE class = 'paid') AS paid,
  count(*) FILTER (WHERE class = 'refunded') AS refunded,
  count(*) FILTER (WHERE class IN ('open', 'review')) AS open,
  min(class) AS class, max(class) AS last_class,
  min(amount) AS amount, max(amount) AS last_amount, min(read_ns) AS read_ns
FROM sut_fact
WHERE kind = 'order' AND intent IS NOT NULL AND snap = getvariable('snap') AND getvariable('orders_given')
GROUP BY intent
