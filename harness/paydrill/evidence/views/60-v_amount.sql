-- view
-- Every amount that is known for an intent, one row a source. Captures count per object of the PSP:
-- a second charge of the right amount is a double charge and not a wrong amount.
SELECT intent, kind || ' answered' AS source, said_amount AS amount, said_currency AS currency
FROM m_op WHERE outcome = 'ok' AND kind IN ('create', 'pay', 'read', 'final') AND intent IS NOT NULL
  AND (said_amount IS NOT NULL OR said_currency IS NOT NULL)
UNION ALL
SELECT intent, kind || ' in the database', amount, currency
FROM sut_fact
WHERE snap = getvariable('snap') AND getvariable('sut_given') AND intent IS NOT NULL
  AND (kind = 'order' OR (kind = 'payment' AND class IN ('paid', 'refunded')))
UNION ALL
SELECT intent, 'captured at the PSP', captured, currency FROM v_root WHERE captured > 0 AND intent IS NOT NULL
UNION ALL
SELECT intent, 'captured at the PSP', NULL, last_currency FROM v_root
WHERE captured > 0 AND intent IS NOT NULL AND last_currency <> currency
