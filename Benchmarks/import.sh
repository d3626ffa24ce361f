# The sales of a file into an empty tenant, against PostgreSQL's COPY of the same lines into a table that knows nothing of shops: what it costs to
# read, check and book them. In turn, round by round. Sourced by run.
# shellcheck shell=bash

measure_import() {
    [ -f "$IMPORT_FILE" ] || fail "no file $IMPORT_FILE; name one by IMPORT_FILE"
    local lines columns round ours limit
    lines=$(gzip -dc "$IMPORT_FILE" | wc -l)
    columns=$(gzip -dc "$IMPORT_FILE" | head -n 1 | tr -d '\r' | tr ',' '\n' | awk '{ printf "%sc%d text", (NR > 1 ? ", " : ""), NR }')
    for round in $(seq "$ROUNDS"); do
        owner_sql "CREATE TABLE public.bare ($columns)"
        limit=$(lines_a_second copy_bare)
        owner_sql "DROP TABLE public.bare"
        make_tenant Retail "retail-$round" GBP Europe/London "retail-$round@example.com"
        ours=$(lines_a_second import_sales "retail-$round")
        say "  round $round: import $ours lines/s, COPY $limit lines/s" >&2
        printf '%s\n' "$ours" >>"$STATE/ratios.import"
        ratio "$ours" "$limit" >>"$STATE/ratios.copy"
    done
    say "import of sales, $lines lines, lines/s: $(summary import); goal 20000"
    say "import of sales / COPY of the same lines: $(summary copy)"
}

# lines_a_second COMMAND...: how many lines of the file the command takes.
lines_a_second() {
    local start
    start=$(date +%s.%N)
    "$@" >&2
    awk -v n="$lines" -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.0f", n / (b - a) }'
}

copy_bare() {
    gzip -dc "$IMPORT_FILE" | PGPASSWORD=$POSTGRES_PASSWORD psql -Xq -v ON_ERROR_STOP=1 -h "$STORES" -U postgres -d stock \
        -c "COPY public.bare FROM STDIN (FORMAT csv, HEADER)"
}

# Exit status 2: some lines were rejected, as they are in a real file.
import_sales() {
    "$STOCK" import sales "$IMPORT_FILE" --tenant "$1" --map examples/online-retail.mapping.json --create-products \
        --payment-method card </dev/null >"$STATE/import.log" 2>&1 || [ $? = 2 ] || fail "$(tail -n 3 "$STATE/import.log")"
}
