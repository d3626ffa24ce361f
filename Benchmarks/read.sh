# The cached series of 31 days, from memory and from Redis, against servers that answer the same bytes: bare handlers, a file, and what shops run
# elsewhere. All are asked in turn, round by round. Sourced by run.
# shellcheck shell=bash

measure_reads() {
    local path authorization names=() ports=() processes=() answer
    path="/v1/balance/series?view=daily&from=$(date -d '30 days ago' +%F)&to=$(date +%F)"
    authorization="Authorization: Bearer $(login bench@example.com)"
    answer=$STATE/answer
    demo_request POST /v1/sales "{\"lines\":[{\"product_id\":\"${products%%,*}\",\"quantity\":\"3\"}],
        \"payments\":[{\"method\":\"cash\",\"amount\":\"3.00\"}]}" >/dev/null
    soon "the series is answered from L1" came_from l1 "$PORT_A"
    ask "$PORT_A" >"$answer.body"

    contender "L1 hit" "$PORT_A" "$(cat "$STATE/a.pid")"
    # In the smallest memory there may be the series finds no room: each request asks Redis, where those that come together share one answer.
    local port_c
    port_c=$(free_port_from 18070)
    CACHE_L1_BYTES=65536 start_instance c "$port_c" >&2
    wait_until_ready c "$port_c"
    soon "the series is answered from L2" came_from l2 "$port_c"
    if came_from l2 "$port_c"; then
        contender "L2 hit" "$port_c" "$(cat "$STATE/c.pid")"
    else
        say "MISSING: L2 hit: with so few cores the smallest L1 has room for the series"
    fi
    serve "bare Hummingbird handler" "$TOOLS/bare-handler"
    serve "bare NIO channel handler" "$TOOLS/bare-channel"
    if command -v nginx >/dev/null; then
        serve "nginx, a file" serve_by_nginx
    else
        say "MISSING: nginx (sudo apt-get install nginx-light)"
    fi
    if make_rivals; then
        serve "FastAPI + Redis" serve_by_fastapi
        serve "Flask + Redis" serve_by_flask
    else
        say "MISSING: FastAPI, Flask: python3 with venv and pip can not install Benchmarks/rivals/requirements.txt"
    fi

    local index
    for _ in $(seq "$ROUNDS"); do
        for index in "${!names[@]}"; do load "$index"; done
    done
    compare "L1 hit" "bare NIO channel handler" 0.7
    compare "L1 hit" "bare Hummingbird handler" 1.2
    compare "L1 hit" "nginx, a file" 0.4
    compare "L1 hit" "FastAPI + Redis" 5
    compare "L1 hit" "Flask + Redis" 15
    compare "L2 hit" "bare Hummingbird handler" 0.5
    compare "L2 hit" "FastAPI + Redis" 2
    say "processor time of one request, microseconds:"
    for index in "${!names[@]}"; do say "  ${names[index]}: $(summary "server.$index")"; done
    end "$STATE/c.pid" serve
    # shellcheck disable=SC2086
    kill $bare
    bare=
}

# contender NAME PORT PROCESS: takes part in the rounds.
contender() {
    names+=("$1")
    ports+=("$2")
    processes+=("$3")
}

# load INDEX: asks one of them for a while; notes requests a second, and the microseconds that one request takes of the server's processor time and
# of the server's and the generator's.
load() {
    local name=${names[$1]} process=${processes[$1]} ticks rate
    local TIMEFORMAT='CPU %U %S'
    ticks=$(ticks_of "$process")
    { time wrk -t1 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" -H "$authorization" "http://127.0.0.1:${ports[$1]}$path"; } >"$STATE/wrk.log" 2>&1
    ticks=$(($(ticks_of "$process") - ticks))
    rate=$(awk '/^Requests\/sec/ { print $2 }' "$STATE/wrk.log")
    [ -n "$rate" ] || fail "$name: $(tail -n 3 "$STATE/wrk.log")"
    say "  $name $rate/s" >&2
    printf '%s\n' "$rate" >>"$STATE/rates.$name"
    awk -v ticks="$ticks" -v hertz="$(getconf CLK_TCK)" -v file="$STATE/times.$name" '
        / requests in / { n = $1 }
        /^CPU/ { generator = $2 + $3 }
        END { seconds = ticks / hertz; printf "%.2f\n", seconds / n * 1e6; printf "%.2f\n", (seconds + generator) / n * 1e6 >>file }' \
        "$STATE/wrk.log" >>"$STATE/ratios.server.$1"
}

# ticks_of PROCESS: the processor time of a process and its children so far.
ticks_of() {
    local process
    for process in "$1" $(pgrep -P "$1"); do cat "/proc/$process/stat"; done 2>/dev/null | sed 's/.*) //' | awk '{ sum += $12 + $13 } END { print sum }'
}

# serve NAME COMMAND...: starts a server of the same bytes, with a free port and the answer as the service gave it behind its arguments.
serve() {
    local name=$1 port tries=0
    shift
    port=$(free_port_from $((18080 + ${#names[@]})))
    "$@" "$port" "$answer" >"$STATE/served.log" 2>&1 &
    bare="$bare $!"
    until asked "$port"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "$name does not answer: $(tail -n 3 "$STATE/served.log")"
        sleep 0.1
    done
    cmp -s "$answer.body" "$STATE/asked" || fail "$name answers other bytes"
    contender "$name" "$port" "${bare##* }"
}

ask() { curl -fsS -H "$authorization" "http://127.0.0.1:$1$path"; }
asked() { ask "$1" >"$STATE/asked" 2>/dev/null; }

# came_from LEVEL PORT: whether an answer comes from there.
came_from() {
    curl -si -H "$authorization" "http://127.0.0.1:$2$path" >"$answer" && grep -q "stock-$1; hit" "$answer"
}

# compare CANDIDATE LIMIT GOAL: the median of the rounds' ratios, and the least and the most. Where all cores are busy with nothing else, the ratio of
# requests a second is that of processor time, the generator's included; other work on the machine disturbs the second much less.
compare() {
    [ -f "$STATE/rates.$1" ] && [ -f "$STATE/rates.$2" ] || return 0
    paste "$STATE/rates.$1" "$STATE/rates.$2" | awk '{ printf "%.3f\n", $1 / $2 }' >"$STATE/ratios.rates"
    paste "$STATE/times.$1" "$STATE/times.$2" | awk '{ printf "%.3f\n", $2 / $1 }' >"$STATE/ratios.times"
    say "cached series, $1 / $2: $(summary rates), by processor time $(summary times); goal $3"
}

serve_by_nginx() {
    mkdir -p "$STATE/nginx/v1/balance"
    cp "$2.body" "$STATE/nginx/v1/balance/series"
    cat >"$STATE/nginx.conf" <<CONF
user $(id -un);
worker_processes auto;
daemon off;
error_log /dev/null;
pid $STATE/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    open_file_cache max=16;
    default_type application/json;
    server { listen 127.0.0.1:$1; root $STATE/nginx; }
}
CONF
    chmod -R a+rX "$STATE/nginx"
    exec nginx -c "$STATE/nginx.conf" -p "$STATE"
}

# The rivals' packages, in a folder of their own.
make_rivals() {
    RIVALS=$PWD/.build-tools/rivals
    install_python_tools "$RIVALS" Benchmarks/rivals/requirements.txt >&2
}

# As their guides advise: a process per core, the loop and the parser in C, no log of each request.
serve_by_fastapi() {
    cd Benchmarks/rivals
    exec "$RIVALS/bin/uvicorn" fastapi_app:app --host 127.0.0.1 --port "$1" --workers 2 --loop uvloop --http httptools --no-access-log
}

serve_by_flask() {
    cd Benchmarks/rivals
    exec "$RIVALS/bin/gunicorn" flask_app:app --bind "127.0.0.1:$1" --workers 2 --threads 8
}
