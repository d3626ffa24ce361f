WITH bump AS (
    -- Each bump was reported many times; together the reports leave little room for when it was.
    SELECT instance, xid, via, (max(earliest) + min(latest)) / 2 AS at, min(latest) - max(earliest) AS room
    FROM public.seen WHERE xid::bigint > (SELECT xid FROM public.lag_start) GROUP BY instance, xid, via
), first AS (
    SELECT b.instance, b.xid, min(b.at) AS at,
           (array_agg(b.via ORDER BY b.at))[1] AS via, (array_agg(b.room ORDER BY b.at))[1] AS room,
           bool_or(b.via = 'own') AS is_writer
    FROM bump b GROUP BY b.instance, b.xid
), written AS (
    SELECT DISTINCT xid FROM first WHERE is_writer
), lag AS (
    SELECT f.via, f.room, 1000 * (f.at - extract(epoch FROM pg_xact_commit_timestamp(f.xid::xid))::float8) AS ms
    FROM first f JOIN written w USING (xid) WHERE NOT f.is_writer
), last AS (
    SELECT w.xid, max(f.at) AS at, count(*) AS instances FROM written w JOIN first f USING (xid) GROUP BY w.xid
)
SELECT format('commit to a peer''s L1, ms: p50 %s, p90 %s, p99 %s, p99.9 %s, max %s',
              round(p[1]::numeric, 2), round(p[2]::numeric, 2), round(p[3]::numeric, 2), round(p[4]::numeric, 2),
              round(p[5]::numeric, 2))
FROM (SELECT percentile_disc(ARRAY[0.5, 0.9, 0.99, 0.999, 1]) WITHIN GROUP (ORDER BY ms) AS p FROM lag) AS t
UNION ALL
SELECT format('commit to the last peer''s L1, ms: p50 %s, p99 %s, max %s',
              round(p[1]::numeric, 2), round(p[2]::numeric, 2), round(p[3]::numeric, 2))
FROM (SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
                 ORDER BY 1000 * (at - extract(epoch FROM pg_xact_commit_timestamp(xid::xid))::float8)) AS p
      FROM last) AS t
UNION ALL
SELECT format('%s bumps at peers of %s writes; expected %s; each known to +-%s ms (median)', count(*),
              (SELECT count(*) FROM written),
              (SELECT count(*) FROM written) * ((SELECT count(DISTINCT instance) FROM first) - 1),
              round((500 * percentile_disc(0.5) WITHIN GROUP (ORDER BY room))::numeric, 2))
FROM lag
UNION ALL
SELECT format('  first heard by %s: %s', via, count(*)) FROM lag GROUP BY via;
