-- All events of some intents ($intents) and PSP objects ($objects), in order of time.
WITH wanted AS (SELECT unnest($intents::BIGINT[]) AS intent),
wanted_object AS (SELECT unnest($objects::VARCHAR[]) AS pi),
token AS (SELECT token, intent FROM intent_token WHERE intent IN (FROM wanted)),
root AS (SELECT root, intent FROM v_root WHERE intent IN (FROM wanted) OR root IN (FROM wanted_object)),
events AS (
  SELECT intent, NULL AS pi, t_ns, 'client' AS source, 'i' || intent AS id, 'intent' AS kind,
    format('{} wants to pay {} {} ({})', coalesce(customer, 'a customer'), amount, currency, coalesce(cls, '?')) AS text
  FROM intent WHERE intent IN (FROM wanted)
  UNION ALL
  SELECT intent, NULL, t_inv_ns, 'client', 'op' || op, kind,
    concat('sends ', kind, ' op', op, ' key ' || idem_key, ' token ' || token, ' ' || amount, ' ' || currency)
  FROM op WHERE intent IN (FROM wanted)
  UNION ALL
  SELECT intent, NULL, t_ret_ns, 'client', 'op' || op, kind,
    concat('op', op, ' ', kind, ' answered ', outcome, ' ' || status, ' ' || err, ' ' || code, ', said ' || said,
      ' ' || said_amount, ' ' || said_currency, ' by ' || node)
  FROM op WHERE intent IN (FROM wanted) AND t_ret_ns IS NOT NULL
  UNION ALL
  SELECT coalesce(t.intent, w.intent), r.pi, r.t_recv_ns, r.psp, 'req' || r.req, 'request',
    concat('PSP receives ', r.op, ' key ' || r.idem_key, ', ' || r.decision, ', not executed: ' || r.stopped_by,
      CASE WHEN r.delivered = false THEN ', its answer is lost' END)
  FROM psp_request AS r LEFT JOIN token AS t ON t.token = r.token LEFT JOIN root AS w ON w.root = r.pi
  WHERE t.intent IS NOT NULL OR w.root IS NOT NULL
  UNION ALL
  SELECT w.intent, e.pi, e.t_ns, e.psp, 'eff' || e.eff, e.kind,
    concat('PSP ', e.kind, ' ', e.amount, ' ', e.currency, CASE WHEN e.status <> 'done' THEN ' ' || e.status END,
      ' on ' || e.pi, ' token ' || e.token, CASE WHEN e.by_psp THEN ', by itself' END)
  FROM psp_effect AS e JOIN root AS w ON w.root = coalesce(e.pi, 'eff' || e.eff)
  UNION ALL
  SELECT intent, NULL, read_ns, 'target', concat('fact:', kind, ':', ref, '@', snap), 'fact',
    concat('its database says ', kind, ' ', ref, ' is ', state, ' ' || amount, ' ' || currency)
  FROM sut_fact WHERE intent IN (FROM wanted) AND snap = getvariable('snap')
  UNION ALL
  SELECT coalesce(t.intent, r.intent), w.pi, w.t_sent_ns, CASE WHEN w.attempt > 1000000000 THEN 'psp2' ELSE 'psp' END, 'wh' || w.attempt, 'webhook',
    concat('PSP tells ', w.type, CASE WHEN w.variant <> 'genuine' THEN ' (' || w.variant || ')' END, ', answered ' || w.status)
  FROM webhook AS w LEFT JOIN token AS t ON t.token = w.token LEFT JOIN root AS r ON r.root = w.pi
  WHERE t.intent IS NOT NULL OR r.root IS NOT NULL
  UNION ALL
  SELECT intent, NULL, t_ns, 'receiver', 'dl' || delivery, 'delivery', concat('delivered: ', kind, ' of order ' || order_ref)
  FROM delivery WHERE intent IN (FROM wanted)
  UNION ALL
  SELECT NULL, NULL, t_start_ns, 'harness', 'ev' || ev, 'fault',
    concat(kind, ' ', name, ' at ' || place, ' until +' || round((t_end_ns - t_start_ns) / 1e9, 1) || ' s')
  FROM timeline WHERE $faults AND kind IN ('fault', 'restart', 'promotion', 'restore', 'psp_freeze', 'freeze')
)
SELECT intent, pi, t_ns, source, id, kind, text FROM events ORDER BY t_ns NULLS FIRST, source, id
