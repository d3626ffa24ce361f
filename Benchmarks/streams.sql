WITH commit AS MATERIALIZED (
    SELECT t.slug, e.seq, extract(epoch FROM pg_xact_commit_timestamp(s.xmin))::float8 AS at
    FROM stock.domain_event e JOIN stock.tenant t ON t.id = e.tenant_id JOIN stock.sale s ON s.tenant_id = e.tenant_id AND s.id = e.entity_id
    WHERE e.type = 'sale.confirmed'
), shop AS (
    SELECT slug, min(number) AS first FROM public.told WHERE kind = 'event' GROUP BY slug
), event AS (
    SELECT 1000 * (t.at - c.at) AS ms FROM public.told t JOIN commit c ON c.slug = t.slug AND c.seq = t.number WHERE t.kind = 'event'
), story AS (
    -- What happened to each stream: the sales of its shop, and what it was told to read again.
    SELECT s.stream, c.at, true AS is_sale
    FROM (SELECT DISTINCT slug, stream FROM public.told) s JOIN shop USING (slug) JOIN commit c ON c.slug = s.slug AND c.seq >= shop.first
    UNION ALL
    SELECT stream, at, false FROM public.told WHERE kind = 'change'
), told AS (
    -- A sale is told by the first change behind it; the sales of one shop are farther apart than a change is late.
    SELECT at, is_sale, min(at) FILTER (WHERE NOT is_sale) OVER (PARTITION BY stream ORDER BY at ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS heard
    FROM story
), change AS (
    SELECT 1000 * (heard - at) AS ms FROM told WHERE is_sale
)
SELECT format('  commit to the client''s %s, ms: p50 %s, p90 %s, p99 %s, p99.9 %s, max %s (%s)', kind, round(p[1]::numeric, 2),
              round(p[2]::numeric, 2), round(p[3]::numeric, 2), round(p[4]::numeric, 2), round(p[5]::numeric, 2), count)
FROM (
    SELECT 'event' AS kind, percentile_disc(ARRAY[0.5, 0.9, 0.99, 0.999, 1]) WITHIN GROUP (ORDER BY ms) AS p, count(*) FROM event
    UNION ALL
    SELECT 'change', percentile_disc(ARRAY[0.5, 0.9, 0.99, 0.999, 1]) WITHIN GROUP (ORDER BY ms), count(*) FROM change
) AS t;
