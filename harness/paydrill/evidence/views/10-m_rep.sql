-- Operations whose idempotency key was used more than once: all that rules about keys need to read.
SELECT op, outcome, executed, t_inv_ns, t_ret_ns, status, same_key
FROM (
  SELECT op, outcome, executed, t_inv_ns, t_ret_ns, status,
    {caller: coalesce(caller, ''), route: coalesce(route, ''), idem_key: idem_key, body: coalesce(body, '')} AS same_key,
    count(*) OVER (PARTITION BY coalesce(caller, ''), coalesce(route, ''), idem_key, coalesce(body, '')) AS uses
  FROM op WHERE idem_key IS NOT NULL
) WHERE uses > 1
