# What a sale costs, in the units of pgbench's TPC-B on the same server: one client, a sale of one line and one of ten; sixteen at one register, sixteen at
# as many; and over HTTP against pgbench sending the same statements, prepared, as stock_app, over as many connections. Sourced by run.
# shellcheck shell=bash

# A sale in cash of some pieces of different products for 1.00 each, one if not told otherwise, statement by statement as the service sends it in one
# pipeline; ids and keys are made from a counter, so that ids grow with time as those of the service do. The register is an SQL expression, NULL for
# the default one.
sale_script() {
    local tenant=$1 tenant_version=$2 ids=$3 register=$4 lines=${5:-1}
    local key=":n::bigint::text || '-' || :client_id::int::text" total=$lines.00 tax products
    tax=$(awk -v n="$lines" 'BEGIN { printf "%.2f", n * 0.16 }')
    products="('{$ids}'::uuid[])[:product::int:(:product + $((lines - 1)))::int]"
    # all VALUE: an array of one for each line.
    all() { printf 'array_fill(%s, ARRAY[%d])' "$1" "$lines"; }
    cat <<SQL
\\set product random(1, $((201 - lines)))
\\set n :n + 1
\\startpipeline
SELECT set_config('stock.tenant_id', '$tenant', true), set_config('statement_timeout', '4000', true);
SELECT stock.idempotency_begin('POST /v1/sales', $key, '\\x00');
SELECT stock.sale_confirm($tenant_version, $(uuid 1), $register, NULL, NULL, NULL, NULL, $total, 0, $tax, $total, $total,
    $products, $(all 1::numeric), $(uuids "$lines" 2), $(uuids "$lines" 3), $products, $(all 1::bigint), $(all 0::smallint),
    $(all 1::numeric), $(all 1.00::numeric), $(all false), $(all 0::numeric), $(all 0::numeric), $(all 0.16::numeric),
    $(all 1.00::numeric), ARRAY[]::text[], ARRAY[$(uuid 4)], ARRAY[$(uuid 5)], ARRAY['cash'], ARRAY[$total::numeric], ARRAY[NULL::numeric],
    ARRAY['cash'], '{}', '{}', 0, NULL, $(uuid 6));
SELECT 201, stock.idempotency_finish('POST /v1/sales', $key, '\\x00', 201,
    json_build_object('etag', '"1"', 'location', '/v1/sales/' || $(uuid 1))::text,
    stock.sale_body(stock.current_tenant(), $(uuid 1)), $(uuid 1)), '"1"', '/v1/sales/' || $(uuid 1);
SELECT * FROM stock.cache_token();
\\endpipeline
SQL
}

# An id distinct by number, client and kind, and by its place among others, as SQL.
uuid() {
    printf "(lpad(to_hex(:n::bigint), 12, '0') || '7' || lpad(:client_id::int::text, 3, '0') || '800%s%012d')::uuid" "$1" "${2:-0}"
}

# As many ids of one kind, as SQL.
uuids() {
    local place list=
    for place in $(seq "$1"); do list="$list${list:+, }$(uuid "$2" "$place")"; done
    printf 'ARRAY[%s]' "$list"
}

measure_sales() {
    local tenant version registers connections clients round one ten sixteen limit
    tenant=$(owner_sql "SELECT id FROM stock.tenant WHERE slug = 'bench'")
    version=$(owner_sql "SELECT version FROM stock.tenant WHERE slug = 'bench'")
    owner_sql "INSERT INTO stock.register (tenant_id, id, name)
        SELECT $tenant, ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Till ' || n FROM generate_series(0, 15) n"
    registers="('01900000-0000-7000-8000-' || lpad(:client_id::int::text, 12, '0'))::uuid"
    sale_script "$tenant" "$version" "$products" NULL >"$STATE/sale.sql"
    sale_script "$tenant" "$version" "$products" "$registers" >"$STATE/sales.sql"
    sale_script "$tenant" "$version" "$products" NULL 10 >"$STATE/lines.sql"
    owner_sql "CREATE DATABASE tpcb"
    PGPASSWORD=$POSTGRES_PASSWORD pgbench -i -q -s 16 -h "$STORES" -U postgres tpcb >/dev/null 2>"$STATE/pgbench.log" ||
        fail "pgbench: $(tail -n 1 "$STATE/pgbench.log")"
    # What the service keeps for writing; its own connections stay idle while pgbench is at work.
    connections=${SALE_CONNECTIONS:-3}
    # Enough clients to keep them busy, and no queue that would have to turn somebody away.
    clients=$((connections * 3))
    STOCK_TOKEN=$(login bench@example.com)
    STOCK_PRODUCTS=$products
    export STOCK_TOKEN STOCK_PRODUCTS
    [ -n "$STOCK_TOKEN" ] || fail "the login is refused"
    # Plans are made and files grow before anything is counted.
    SECONDS_EACH=3 sales_over_http "$clients" >/dev/null
    for round in $(seq "$ROUNDS"); do
        limit=$(tpcb 1)
        one=$(sales 1 sale)
        ten=$(sales 1 lines)
        say "  round $round, one client: TPC-B $limit/s, sales $one/s, of ten lines $ten/s" >&2
        ratio "$limit" "$one" >>"$STATE/ratios.cost"
        ratio "$limit" "$ten" >>"$STATE/ratios.ten"
        limit=$(tpcb 16)
        one=$(sales 16 sale)
        sixteen=$(sales 16 sales)
        say "  round $round, sixteen clients: TPC-B $limit/s, sales at one register $one/s, at sixteen $sixteen/s" >&2
        ratio "$one" "$limit" >>"$STATE/ratios.one"
        ratio "$sixteen" "$limit" >>"$STATE/ratios.sixteen"
        limit=$(sales "$connections" sale)
        one=$(sales_over_http "$clients")
        say "  round $round, $connections connections: pgbench $limit sales/s, over HTTP $one sales/s" >&2
        ratio "$one" "$limit" >>"$STATE/ratios.http"
    done
    say "one sale, one client, in TPC-B transactions: $(summary cost); goal 2.5 at most"
    say "one of ten lines: $(summary ten); goal 5 at most"
    say "sales at one register / TPC-B, 16 clients: $(summary one); goal 0.25"
    say "sales at 16 registers / TPC-B, 16 clients: $(summary sixteen); goal 0.3"
    say "sales over HTTP / pgbench with the same SQL, $connections connections: $(summary http); goal 0.9"
}

tpcb() {
    PGPASSWORD=$POSTGRES_PASSWORD rate "$1" -U postgres tpcb
}

# sales CLIENTS SCRIPT
sales() {
    PGPASSWORD=$STOCK_APP_PASSWORD rate "$1" -U stock_app -f "$STATE/$2.sql" stock
}

# rate CLIENTS ARGUMENT...: what pgbench comes to in a second.
rate() {
    local clients=$1 tps
    shift
    tps=$(
        pgbench -n -M prepared -c "$clients" -j 1 -T "$SECONDS_EACH" -D n="$(date +%s%N | cut -c1-15)" -h "$STORES" "$@" \
            2>"$STATE/pgbench.log" | awk '/^tps/ { print $3 }'
    )
    [ -n "$tps" ] && [ ! -s "$STATE/pgbench.log" ] || fail "pgbench: $(head -n 3 "$STATE/pgbench.log")"
    printf '%s' "$tps"
}

sales_over_http() {
    local sold
    sold=$(
        wrk -t1 -c"$1" -d"${SECONDS_EACH}s" -s Benchmarks/sale.lua "http://127.0.0.1:$PORT_A" 2>&1 |
            tee "$STATE/wrk.log" | awk '$1 == "RESULT" && $3 == 0 { print $2 }'
    )
    [ -n "$sold" ] || fail "sales failed: $(head -n 5 "$STATE/wrk.log")"
    printf '%s' "$sold"
}
