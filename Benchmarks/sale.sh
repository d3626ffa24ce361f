# Sale confirmation over HTTP against pgbench sending the same statements, prepared, as stock_app, over as many connections. Sourced by run.
# shellcheck shell=bash

# A sale of one piece for 1.00 in cash, statement by statement as the service sends it in one pipeline; ids and keys are made from a counter.
sale_script() {
    local tenant=$1 tenant_version=$2 products=$3
    cat <<SQL
\\set product random(1, 200)
\\set n random(1, 9000000000000)
\\startpipeline
SELECT set_config('stock.tenant_id', '$tenant', true), set_config('statement_timeout', '4000', true);
SELECT stock.idempotency_begin('POST /v1/sales', :n::bigint::text || '-' || :client_id::int::text, '\\x00');
SELECT stock.sale_check($tenant_version, NULL, NULL, NULL, true, ARRAY[('{$products}'::uuid[])[:product::int]], ARRAY[1::bigint], ARRAY[0::smallint]);
SELECT stock.sale_take_stock($(uuid 1), NULL, NULL, ARRAY[$(uuid 2)], ARRAY[0], ARRAY[('{$products}'::uuid[])[:product::int]], ARRAY[1::numeric]);
SELECT stock.sale_insert($(uuid 1), NULL, NULL, NULL, NULL, NULL, 1.00, 0, 0.16, 1.00, 1.00, ARRAY[$(uuid 3)],
    ARRAY[('{$products}'::uuid[])[:product::int]], ARRAY[1::numeric], ARRAY[1.00::numeric], ARRAY[false], ARRAY[0::numeric], ARRAY[0::numeric],
    ARRAY[0.16::numeric], ARRAY[1.00::numeric]);
SELECT stock.sale_pay($(uuid 1), NULL, NULL, NULL, ARRAY[$(uuid 4)], ARRAY[$(uuid 5)], ARRAY['cash'], ARRAY[1.00::numeric], ARRAY[NULL::numeric]);
SELECT 201, stock.idempotency_finish('POST /v1/sales', :n::bigint::text || '-' || :client_id::int::text, '\\x00', 201,
    json_build_object('etag', '"1"', 'location', '/v1/sales/' || $(uuid 1))::text,
    stock.sale_body(stock.current_tenant(), $(uuid 1)), $(uuid 1)), '"1"', '/v1/sales/' || $(uuid 1);
SELECT * FROM stock.cache_token();
\\endpipeline
SQL
}

# An id distinct by number, client and kind, as SQL.
uuid() {
    printf "('01900000-0' || lpad(:client_id::int::text, 3, '0') || '-7000-800%s-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid" "$1"
}

measure_sales() {
    local tenant tenant_version limit ours connections clients
    export PGPASSWORD=$STOCK_APP_PASSWORD
    tenant=$(owner_query "SELECT id FROM stock.tenant WHERE slug = 'bench'")
    tenant_version=$(owner_query "SELECT version FROM stock.tenant WHERE slug = 'bench'")
    sale_script "$tenant" "$tenant_version" "$products" >"$STATE/sale.sql"
    # What the service keeps for writing; its own connections stay idle meanwhile.
    connections=${SALE_CONNECTIONS:-3}
    # Enough clients to keep them busy, and no queue that would have to turn somebody away.
    clients=$((connections * 3))
    STOCK_TOKEN=$(login bench@example.com)
    STOCK_PRODUCTS=$products
    export STOCK_TOKEN STOCK_PRODUCTS
    for _ in $(seq "$ROUNDS"); do
        limit=$(
            pgbench -n -M prepared -c "$connections" -j 1 -T "$SECONDS_EACH" -f "$STATE/sale.sql" -h "$STORES" -U stock_app stock \
                2>"$STATE/pgbench.log" | awk '/^tps/ { print $3 }'
        )
        [ -n "$limit" ] || fail "pgbench: $(head -n 3 "$STATE/pgbench.log")"
        ours=$(
            wrk -t1 -c"$clients" -d"${SECONDS_EACH}s" -s Benchmarks/sale.lua "http://127.0.0.1:$PORT_A" 2>&1 |
                tee "$STATE/wrk.log" | awk '$1 == "RESULT" && $3 == 0 { print $2 }'
        )
        [ -n "$ours" ] || fail "sales failed: $(head -n 5 "$STATE/wrk.log")"
        say "  pgbench $limit sales/s, over HTTP $ours sales/s" >&2
        awk -v a="$ours" -v b="$limit" 'BEGIN { printf "%.3f\n", a / b }'
    done >"$STATE/ratios"
    say "sale confirmation / pgbench with the same SQL over $connections connections: $(median <"$STATE/ratios")" \
        "(rounds: $(tr '\n' ' ' <"$STATE/ratios")) goal 0.7"
}

owner_query() {
    PGPASSWORD=$POSTGRES_PASSWORD psql -XAtq -h "$STORES" -U postgres -d stock -c "$1"
}
