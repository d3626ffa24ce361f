# Measures `stock import sales` while both instances serve: the given file and one made by a seed into empty tenants, and the given file again.
# Sourced by run.
# shellcheck shell=bash

# lines_of FILE: how many it has below its header.
lines_of() { echo $(($(if [[ $1 == *.gz ]]; then gzip -dc "$1"; else cat "$1"; fi | wc -l) - 1)); }

# import_once TENANT FILE GOAL WHAT: lines a second, and the most memory the importing process had resident.
import_once() {
    local tenant=$1 file=$2 goal=$3 what=$4 lines start pid most=0 now status=0
    lines=$(lines_of "$file")
    start=$(date +%s.%N)
    "$STOCK" import sales "$file" --tenant "$tenant" --map examples/online-retail.mapping.json --create-products \
        --payment-method card --rejected "$STATE/rejected.csv" </dev/null >"$STATE/import.log" 2>&1 &
    pid=$!
    while now=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
        most=$now
        sleep 0.05
    done
    wait "$pid" || status=$?
    [ "$status" = 0 ] || [ "$status" = 2 ] || fail "$(tail -n 3 "$STATE/import.log")"
    rm -f "$STATE/rejected.csv"
    awk -v w="$what" -v n="$lines" -v a="$start" -v b="$(date +%s.%N)" -v m="$most" -v g="$goal" 'BEGIN {
        printf "import, %s: %d lines in %.2f s, %.0f lines/s, %.0f MB; goal %d\n", w, n, b - a, n / (b - a), m / 1000, g
    }'
}

# What PostgreSQL's COPY takes for the same lines into a table that knows nothing of shops: the limit of reading them at all.
copy_bare() {
    local columns start
    # The file is read to its end: who stops before ends the pipe, and with it this script.
    columns=$(gzip -dc "$IMPORT_FILE" | awk -F, 'NR == 1 { for (n = 1; n <= NF; n++) printf "%sc%d text", (n > 1 ? ", " : ""), n }')
    owner_sql "CREATE TABLE public.bare ($columns)"
    start=$(date +%s.%N)
    gzip -dc "$IMPORT_FILE" | PGPASSWORD=$POSTGRES_PASSWORD psql -Xq -v ON_ERROR_STOP=1 -h "$STORES" -U postgres -d stock \
        -c "COPY public.bare FROM STDIN (FORMAT csv, HEADER)"
    awk -v n="$(gzip -dc "$IMPORT_FILE" | wc -l)" -v a="$start" -v b="$(date +%s.%N)" \
        'BEGIN { printf "import, COPY of the same lines: %.0f lines/s\n", n / (b - a) }'
    owner_sql "DROP TABLE public.bare"
}

measure_import() {
    local large=$STATE/large.csv
    [ -f "$IMPORT_FILE" ] || fail "no file $IMPORT_FILE; name one by IMPORT_FILE"
    copy_bare
    make_tenant Retail retail GBP Europe/London retail@example.com
    import_once retail "$IMPORT_FILE" 40000 "the given file"
    # Sums and levels are written again and again on the way, and are in this as they end.
    rows_alone product product_search sale sale_line sale_return sale_return_line payment payment_allocation ledger_entry stock_movement \
        stock_level location_level product_day tax_day balance_day |
        awk -v n="$(lines_of "$IMPORT_FILE")" '{ printf "import, the rows of it alone, by one session: %.2f s, %.0f lines/s\n", $1, n / $1 }'
    import_once retail "$IMPORT_FILE" 150000 "the same again"
    [ "${IMPORT_LINES:=1500000}" -gt 0 ] || return 0
    awk -v LINES="$IMPORT_LINES" -v PRODUCTS="${IMPORT_PRODUCTS:-68000}" -v SEED=1 -f Benchmarks/sales.awk >"$large"
    make_tenant Large large GBP Europe/London large@example.com
    import_once large "$large" 30000 "a large one"
    rm "$large"
}
