# Measures products going in, by the command line and over HTTP, whatever the statistics are. Sourced by Benchmarks/run.
# shellcheck shell=bash

# 10,000 products by one command, and 10,000 others in ten batches, in a database that was never analysed and in one that was while it was empty.
measure_products() {
    local rows=${PRODUCT_ROWS:-10000} state
    awk -v n="$rows" 'BEGIN {
        print "sku,name,price,tax_rate,barcodes"
        for (i = 0; i < n; i++) printf "C%07d,Product Ñ %d of the file,%d.%02d,19,%013d\n", i, i, 1 + i % 90, i % 100, i
    }' >"$STATE/products.csv"
    for number in $(seq 0 9); do
        awk -v n=$((rows / 10)) -v b="$number" 'BEGIN {
            printf "{\"products\":["
            for (i = b * n; i < (b + 1) * n; i++)
                printf "%s{\"sku\":\"H%07d\",\"name\":\"Product Ñ %d of the batch\",\"price\":\"%d.50\"}", (i > b * n ? "," : ""), i, i, 1 + i % 90
            printf "]}"
        }' >"$STATE/batch-$number.json"
    done
    end "$STATE/a.pid" serve
    end "$STATE/b.pid" serve
    restart_postgres_with "autovacuum = off"
    for state in never empty; do measure_products_of "$state" "$rows"; done
}

# measure_products_of never|empty ROWS
measure_products_of() (
    state=$1 rows=$2
    owner_sql "CREATE DATABASE products_$state" >/dev/null
    # A cache belongs to one database.
    unset REDIS_URL
    export DATABASE_URL=${DATABASE_URL/\/stock\?/\/products_$state?} DATABASE_OWNER_URL=${DATABASE_OWNER_URL/\/stock\?/\/products_$state?}
    "$STOCK" migrate up </dev/null >/dev/null
    [ "$state" = never ] || psql -XAtq "$DATABASE_OWNER_URL" -c ANALYZE
    make_tenant Loading loading EUR Europe/Berlin loading@example.com
    start_instance p "$PORT_A" >/dev/null
    wait_until_ready p "$PORT_A"
    DEMO_TOKEN=$(login loading@example.com)

    start=$(date +%s.%N)
    "$STOCK" import products "$STATE/products.csv" --tenant loading </dev/null >"$STATE/products.log" 2>&1 ||
        fail "$(tail -n 3 "$STATE/products.log")"
    ended=$(date +%s.%N)
    awk -v n="$rows" -v a="$start" -v b="$ended" -v alone="$(rows_alone product stock_level product_barcode product_search)" -v state="$state" 'BEGIN {
        printf "products, statistics: %s: command line: %.0f rows/s; goal 20000; %.2f of the seconds of their rows alone\n", \
            state, n / (b - a), (b - a) / alone
    }'
    for number in $(seq 0 9); do
        curl -sS -o "$STATE/batch.answer" -w '%{time_total} %{http_code}\n' "http://127.0.0.1:$PORT_A/v1/products/batch" \
            -H "Authorization: Bearer $DEMO_TOKEN" -H 'Content-Type: application/json' -H "Idempotency-Key: batch-$number" \
            --data-binary "@$STATE/batch-$number.json"
    done | tee "$STATE/batch.times" | awk -v n="$rows" -v state="$state" '
        $2 != 200 { bad++ }
        { sum += $1; if ($1 > most) most = $1 }
        END {
            printf "products, statistics: %s: ten batches: %.0f rows/s, the longest %.3f s, %d not 200; goal 20000, 1 s\n", state, n / sum, most, bad
            exit bad > 0
        }' || fail "$(head -c 400 "$STATE/batch.answer")"
    end "$STATE/p.pid" serve
)
