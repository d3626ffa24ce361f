# Measures `stock import sales` while both instances serve: the given file and one made by a seed into empty tenants, and the given file again.
# Sourced by run.
# shellcheck shell=bash

# import_once TENANT FILE GOAL WHAT: lines a second, and the most memory the importing process had resident.
import_once() {
    local tenant=$1 file=$2 goal=$3 what=$4 lines start pid most=0 now status=0
    lines=$(($(if [[ $file == *.gz ]]; then gzip -dc "$file"; else cat "$file"; fi | wc -l) - 1))
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
    import_once retail "$IMPORT_FILE" 150000 "the same again"
    [ "${IMPORT_LINES:=1500000}" -gt 0 ] || return 0
    awk -v LINES="$IMPORT_LINES" -v PRODUCTS="${IMPORT_PRODUCTS:-68000}" -v SEED=1 -f Benchmarks/sales.awk >"$large"
    make_tenant Large large GBP Europe/London large@example.com
    import_once large "$large" 30000 "a large one"
    rm "$large"
}
