-- What is open, per intent: how many, since when it was seen last, and an example.
SELECT intent, count(*) FILTER (WHERE known) AS open, count(*) FILTER (WHERE NOT known) AS unmapped,
  max(seen_ns) FILTER (WHERE known) AS seen_ns, min(object || ' is ' || coalesce(state, 'without a state')) AS example
FROM v_open WHERE intent IS NOT NULL GROUP BY intent
