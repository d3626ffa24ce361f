# What the cache promises in figures: a hit, retiring a scope, commit to the peers' memory, bytes of a full L1. Sourced by run.
# shellcheck shell=bash

# A hit in memory, in nanoseconds, and in instructions where valgrind is there.
measure_look_up() {
    "$TOOLS/l1-look-up"
    command -v valgrind >/dev/null || return 0
    [ -z "${SMOKE:-}" ] || return 0
    local token few many
    without_debug_information l1-look-up
    for token in no yes; do
        few=$(instructions "$STATE/l1-look-up" 1000 $token)
        many=$(instructions "$STATE/l1-look-up" 101000 $token)
        say "  instructions for a hit, token $token: $(((many - few) / 100000))"
    done
}

# without_debug_information TOOL: a copy in $STATE, as valgrind stumbles over what Swift writes there.
without_debug_information() {
    strip -g -o "$STATE/$1" "$TOOLS/$1"
}

# instructions COMMAND...: how many the command runs from start to end.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null | awk '/Collected/ { print $NF }'
}

# Retiring a scope: instructions in memory, microseconds and commands in Redis, by keys and tenants.
measure_retire() {
    without_debug_information retire
    say "retiring a scope in L1, by what is cached:"
    local keys tenants
    for keys in ${RETIRE_KEYS:-1000 1000000}; do
        for tenants in 1 10000; do
            [ "$tenants" -le "$keys" ] || continue
            printf '  %8d keys, %5d tenants: %d instructions, %s\n' "$keys" "$tenants" \
                $(($(bump_instructions "$keys" "$tenants" 10000) / 10000)) \
                "$(echo go | "$TOOLS/retire" l1 "$keys" "$tenants" 100000 | tail -n 1)"
        done
    done
    say "retiring a scope in Redis, by what is stored:"
    for keys in ${RETIRE_KEYS:-1000 1000000}; do
        for tenants in 1 10000; do
            [ "$tenants" -le "$keys" ] || continue
            redis_with_keys "$keys" "$tenants"
            printf '  %8d keys, %5d tenants:\n' "$keys" "$tenants"
            "$TOOLS/retire" redis "$STATE/retire.sock" "$tenants" 20000 | sed 's/^/    /'
            printf '    slowest of all: %s us\n' "$(
                redis-cli -s "$STATE/retire.sock" --json SLOWLOG GET 1000 | tr -d '\n ' | grep -oi '\[[0-9]*,[0-9]*,[0-9]*,\["evalsha"' |
                    cut -d, -f3 | sort -n | tail -n 1
            )"
            redis-cli -s "$STATE/retire.sock" SHUTDOWN NOSAVE >/dev/null 2>&1 || true
        done
    done
}

# bump_instructions KEYS TENANTS COUNT: the instructions of COUNT bumps, of nothing before, after or beside them.
bump_instructions() {
    { command -v valgrind >/dev/null && [ -z "${SMOKE:-}" ]; } || {
        echo 0
        return
    }
    local pid log=$STATE/callgrind
    rm -f "$STATE/go" "$log"
    mkfifo "$STATE/go"
    valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no --toggle-collect='*Retire*4bump*' \
        --callgrind-out-file=/dev/null "$STATE/retire" l1 "$1" "$2" "$3" \
        <"$STATE/go" >"$log" 2>&1 &
    pid=$!
    exec 8>"$STATE/go"
    until grep -q '^ready' "$log"; do
        kill -0 $pid 2>/dev/null || fail "$(tail -n 3 "$log")"
        sleep 0.1
    done
    callgrind_control -i on $pid >/dev/null 2>&1
    echo go >&8
    exec 8>&-
    wait $pid
    awk '/Collected/ { print $NF }' "$log"
}

# redis_with_keys KEYS TENANTS: a Redis of its own that holds so many values, each tenant with generation, ring and index.
redis_with_keys() {
    rm -f "$STATE/retire.sock"
    redis-server --port 0 --unixsocket "$STATE/retire.sock" --save '' --daemonize yes --dir "$STATE" \
        --slowlog-log-slower-than 200 --slowlog-max-len 1000 >/dev/null
    until redis-cli -s "$STATE/retire.sock" PING >/dev/null 2>&1; do sleep 0.05; done
    awk -v keys="$1" -v tenants="$2" 'BEGIN {
        generation = "0123456789abcdef0123456789abcdef"
        body = sprintf("%200s", ""); gsub(" ", "x", body)
        for (n = 0; n < keys; n++) {
            scope = "stock:tenant:" (1 + n % tenants) ":products"
            printf "SET %s:id:%d %s PX 3600000\r\n", scope, n, body
            if (n < tenants * 4096) printf "ZADD %s:_x 4000000000000 %s:id:%d\r\n", scope, scope, n
            if (n < tenants) {
                printf "SET %s:_g %s PX 7200000\r\n", scope, generation
                for (i = 0; i < 64; i++) printf "ZADD %s:_r %d aaaaaaaa:%d\r\n", scope, i, i
            }
        }
    }' | redis-cli -s "$STATE/retire.sock" --pipe >/dev/null
}

# restart_postgres_with SETTING: what only a start can change; before any instance is started.
restart_postgres_with() {
    local bin
    bin=$(postgres_folder)
    owner_sql "ALTER SYSTEM SET $1"
    (
        cd / && as_store_user "$bin/pg_ctl" -D "$STORES/postgres" -m fast -w restart -l "$STORES/postgres.log" -o \
            "-c listen_addresses= -c unix_socket_directories=$STORES -c port=5432 -c max_connections=100" >/dev/null </dev/null
    )
}

# Commit to every peer's L1: five instances, 200 writes a second on a fixed schedule.
measure_peers() {
    local rate=${RATE:-200} seconds=${LAG_SECONDS:-60} tenants=20 name port ports shops
    ports=$PORT_A,$PORT_B
    port=$PORT_B
    for name in c d e; do
        port=$(free_port_from $((port + 1)))
        start_instance $name "$port"
        wait_until_ready $name "$port"
        ports=$ports,$port
    done
    shops=$STATE/shops
    make_shops lag $tenants "$shops"
    # Making the products was written before anybody had read them.
    owner_sql "CREATE TABLE public.lag_start AS SELECT pg_current_xact_id()::text::bigint AS xid"
    "$TOOLS/peer-lag" $ports "$shops" "$rate" "$seconds" "$STATE/seen"
    owner_sql "CREATE TABLE IF NOT EXISTS public.seen (instance int, xid text, earliest float8, latest float8, via text);
        TRUNCATE public.seen" "\\copy public.seen from '$STATE/seen'" "$(cat Benchmarks/peer-lag.sql)" "DROP TABLE public.seen, public.lag_start"
    for name in c d e; do end "$STATE/$name.pid" serve; done
}

# has_settled PORT: everything committed is logged, and the instance has applied all of it and serves from its caches.
has_settled() {
    local head
    head=$(owner_sql "SELECT head_seq FROM stock.cache_lane WHERE NOT EXISTS (SELECT FROM stock.cache_outbox)")
    [ -n "$head" ] && curl -fsS "http://127.0.0.1:$1/v1/cache/explain?module=products&key=any" \
        -H "Authorization: Bearer $DEMO_TOKEN" | grep -o '"lane":.*' | grep "\"applied\":$head[,}]" | grep -q '"usable":true'
}

# seconds_not_in_use: for how long the instances could not serve from their caches since they started.
seconds_not_in_use() {
    local instance
    for instance in a b c; do curl -fsS "http://127.0.0.1:$(cat "$STATE/$instance.operations")/metrics"; done |
        awk '/^stock_cache_unusable_seconds_total/ { sum += $NF } END { printf "%.6f", sum }'
}

# A cold key asked for by a crowd at each of three instances at once: how often is it computed? With Redis, then without.
measure_crowd() {
    local size=${CROWD:-10000} port store round product instance lapsed
    port=$(free_port_from $((PORT_B + 1)))
    start_instance c "$port"
    wait_until_ready c "$port"
    for store in "with Redis" "without Redis"; do
        if [ "$store" = "without Redis" ]; then end "$STORES/redis/pid" redis-server; fi
        for round in $(seq "$ROUNDS"); do
            product=$(demo_request POST /v1/products "{\"sku\":\"COLD-$RANDOM$RANDOM\",\"name\":\"Cold\",\"price\":\"1.00\"}" | json_text id)
            # Each instance knows the caller, uses its caches and has applied the product's making before the crowd comes.
            for instance in "$PORT_A" "$PORT_B" "$port"; do
                curl -fsS -o /dev/null "http://127.0.0.1:$instance/v1/me" -H "Authorization: Bearer $DEMO_TOKEN"
                soon "instance $instance has settled" has_settled "$instance"
            done
            lapsed=$(seconds_not_in_use)
            owner_sql "SELECT pg_stat_statements_reset()" >/dev/null
            say "$store, round $round:"
            "$TOOLS/crowd" "$size" "/v1/products/$product" "$DEMO_TOKEN" "$PORT_A" "$PORT_B" "$port" | sed 's/^/  /'
            say "  computed in PostgreSQL: $(owner_sql "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
                WHERE query LIKE 'SELECT d.body, d.etag, pg_current_snapshot()%stock.product_body(%'")"
            say "  caches not in use meanwhile: $(awk -v a="$lapsed" -v b="$(seconds_not_in_use)" 'BEGIN { printf "%.3f", b - a }') s"
        done
    done
    end "$STATE/c.pid" serve
}

# owner_sql STATEMENT...: as the superuser of the private cluster.
owner_sql() {
    local statement words=()
    for statement in "$@"; do words+=(-c "$statement"); done
    PGPASSWORD=$POSTGRES_PASSWORD psql -XAtq -h "$STORES" -U postgres -d stock "${words[@]}"
}

# Resident against counted bytes of a full L1.
measure_memory() {
    local size
    for size in ${MEMORY_SIZES:-64 200 1000 8000}; do "$TOOLS/l1-memory" $size; done
}
