# Streams of events: how late they tell, what they cost at rest, how soon they are back. Sourced by run.
# shellcheck shell=bash

# With as many streams as a tenant may have at an instance. The instances are begun anew, so that what came before is in nobody's memory.
measure_streams() {
    local shops=$STATE/shops size=${STREAMS:-5000} told=${TOLD_STREAMS:-1000} each=100 way
    [ "$size" -ge $each ] || each=$size
    [ "$told" -le "$size" ] || told=$size
    make_shops stream $((size / each)) "$shops"
    head -n $((told / each)) "$shops" >"$shops.told"
    "$TOOLS/streams" lag "$shops.told" $each "$PORT_A" "$PORT_B" "${RATE:-100}" "${LAG_SECONDS:-60}" "$STATE/told"
    owner_sql "CREATE TABLE public.told (slug text, stream int, kind text, number int, at float8)" \
        "\\copy public.told from '$STATE/told'" "ANALYZE public.told" "$(cat Benchmarks/streams.sql)" "DROP TABLE public.told"
    for way in TERM KILL; do
        say "$size streams of $((size / each)) tenants; their instance ends by SIG$way:"
        end "$STATE/b.pid" serve
        start_instances
        hold_streams "$shops" $each $way
    done
    end "$STATE/b.pid" serve
    start_instances
}

# hold_streams SHOPS EACH SIGNAL: statements at rest without streams and with them; then the instance ends, and things happen before, while and
# after they come back.
hold_streams() {
    local shops=$1 each=$2 signal=$3 streams instance said=$STATE/streams.said words=$STATE/streams.words without
    instance=$(cat "$STATE/b.pid")
    without=$(statements_in "${REST_SECONDS:-10}")
    rm -f "$words"
    mkfifo "$words"
    "$TOOLS/streams" hold "$shops" "$each" "$PORT_A" "$PORT_B" "$instance" <"$words" >"$said" &
    streams=$!
    exec 7>"$words"
    soon "all streams are open" says open "$said" $streams
    say "  statements in ${REST_SECONDS:-10} s at rest: $without without streams, $(statements_in "${REST_SECONDS:-10}") with them"
    sell_in_each "$shops"
    echo >&7
    kill -s "$signal" "$instance"
    sell_in_each "$shops"
    soon "all streams are back" says back "$said" $streams
    sell_in_each "$shops"
    exec 7>&-
    wait $streams || fail "the streams: $(cat "$said")"
    grep '^ ' "$said"
    # Three rounds of sales, each told to each stream of its shop.
    grep -q " $((3 * $(wc -l <"$shops") * each)) events told" "$said" || fail "not every sale was told to every stream"
}

# says WORD FILE PID: whether the program has said so; it fails if it has ended.
says() {
    grep -q "^$1" "$2" && return
    kill -0 "$3" 2>/dev/null || fail "the streams ended: $(cat "$2")"
    return 1
}

# statements_in SECONDS: how many statements the instances give in so many.
statements_in() {
    owner_sql "SELECT pg_stat_statements_reset()" >/dev/null
    sleep "$1"
    owner_sql "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE userid = 'stock_app'::regrole"
}

# sell_in_each SHOPS: one sale in each, at instance a.
sell_in_each() {
    local token product
    while read -r _ token product; do
        curl -fsS -o /dev/null "http://127.0.0.1:$PORT_A/v1/sales" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
            -H "Idempotency-Key: hold-$RANDOM$RANDOM$RANDOM" \
            -d "{\"lines\":[{\"product_id\":\"$product\",\"quantity\":\"1\"}],\"payments\":[{\"method\":\"cash\",\"amount\":\"1.00\"}]}"
    done <"$1"
}
