-- The kept keys. `body` is the fingerprint of the request, not the body.
SELECT md5(caller || ' ' || route || ' ' || key) AS ref, caller, route, key AS idem_key, fingerprint AS body, state, status
FROM idempotency
