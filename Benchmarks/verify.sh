# Measures `stock verify` over many small tenants and a large one, wherever it stands among them and whatever the statistics are. Sourced by run.
# shellcheck shell=bash

measure_verify() {
    local large state start tenants=${VERIFY_TENANTS:-1000} sales=${VERIFY_SALES:-500000} log=$STATE/verify.log
    end "$STATE/a.pid" serve
    end "$STATE/b.pid" serve
    restart_postgres_with "autovacuum = off"
    for large in 1 "$tenants"; do
        owner_sql "CREATE DATABASE verify_$large" >/dev/null
        (
            export DATABASE_URL=${DATABASE_URL/\/stock\?/\/verify_$large?} DATABASE_OWNER_URL=${DATABASE_OWNER_URL/\/stock\?/\/verify_$large?}
            "$STOCK" migrate up </dev/null >/dev/null
            if [ "$large" = 1 ]; then psql -XAtq "$DATABASE_OWNER_URL" -c ANALYZE; fi
            {
                echo "SET fill.tenants = $tenants; SET fill.large = $large; SET fill.products = $((sales / 8 + 1));"
                echo "SET fill.sales = $sales; SET fill.lines = 3; SET fill.small_products = 20; SET fill.small_sales = 20; SET fill.days = 400;"
                cat Tests/shops.sql
            } | psql -Xq -v ON_ERROR_STOP=1 "$DATABASE_OWNER_URL" >/dev/null
            for state in $([ "$large" = 1 ] && echo empty || echo never) now; do
                if [ "$state" = now ]; then psql -XAtq "$DATABASE_OWNER_URL" -c ANALYZE; fi
                start=$(date +%s.%N)
                "$STOCK" verify </dev/null >"$log" 2>&1 || fail "the books do not add up: $(tail -n 3 "$log")"
                awk -v a="$start" -v b="$(date +%s.%N)" -v n=$((sales * 3)) -v t="$tenants" -v l="$large" -v s="$state" 'BEGIN {
                    printf "verify: %d tenants, tenant %d with %d lines, analysed: %s: %.1f s; goal 60\n", t, l, n, s, b - a
                }'
            done
        )
        owner_sql "DROP DATABASE verify_$large" >/dev/null
    done
}
