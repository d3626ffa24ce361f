# The private PostgreSQL cluster, the private Redis and the instances of scripts/up. Sourced with the repository as working folder.
# shellcheck shell=bash

STATE=${STOCK_STATE:-$PWD/.stock}

# As root the stores run as another user: PostgreSQL refuses root.
store_user() {
    [ "$(id -u)" = 0 ] || return 0
    local user
    for user in postgres nobody; do
        if id "$user" >/dev/null 2>&1; then
            printf '%s' "$user"
            return
        fi
    done
}

# Runs a command as that user. setpriv replaces itself by the command and needs no login shell.
as_store_user() {
    local user
    user=$(store_user)
    if [ -n "$user" ]; then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- env HOME=/ "$@"
    else
        "$@"
    fi
}

give_to_store_user() {
    local user
    user=$(store_user)
    if [ -n "$user" ]; then chown -R "$user" "$1"; fi
}

# Where the stores keep their files: .stock/stores, unless their user may not come that far (a clone below /root) or the path is too long for
# a unix socket (107 bytes); then a folder in /var/tmp, and .stock/stores is a link to it.
stores_folder() {
    readlink -f "$STATE/stores"
}

random_word() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

free_port_from() {
    local port=$1
    until port_is_free "$port"; do port=$((port + 1)); done
    printf '%s' "$port"
}

# Makes .stock/ with its passwords, once. The file is for this user alone.
prepare_state() {
    mkdir -p "$STATE"
    chmod 711 "$STATE"
    if [ ! -e "$STATE/environment" ]; then
        (
            umask 077
            cat >"$STATE/environment.new" <<TEXT
POSTGRES_PASSWORD=$(random_word)
STOCK_APP_PASSWORD=$(random_word)
REDIS_SECRET=$(random_word)
AUTH_SECRET=$(random_word)$(random_word)
DEMO_EMAIL=demo@example.com
DEMO_PASSWORD=$(random_word | cut -c1-16)
TEXT
            mv "$STATE/environment.new" "$STATE/environment"
        )
    fi
    # shellcheck disable=SC1091
    . "$STATE/environment"

    if [ ! -e "$STATE/stores" ]; then
        mkdir -p "$STATE/stores"
        if [ "${#STATE}" -gt 80 ] || ! as_store_user test -x "$STATE/stores"; then
            rmdir "$STATE/stores"
            ln -s "$(mktemp -d /var/tmp/stock.XXXXXX)" "$STATE/stores"
            say "the stores' files are in $(stores_folder): their user cannot reach $STATE, or its path is too long for a socket"
        fi
    fi
    STORES=$(stores_folder)
    if [ -n "$(store_user)" ]; then chown "$(store_user)" "$STORES"; fi
    chmod 711 "$STORES"
}

# The programs of the version that made the cluster; a newer one beside it cannot read its files.
cluster_programs() {
    local made_by
    made_by=$(cat "$STORES/postgres/PG_VERSION" 2>/dev/null || true)
    if [ -n "$made_by" ] && [ -x "/usr/lib/postgresql/$made_by/bin/postgres" ]; then
        printf '/usr/lib/postgresql/%s/bin' "$made_by"
    else
        postgres_folder
    fi
}

start_postgres() {
    local bin
    bin=$(cluster_programs)
    if [ ! -e "$STORES/postgres/PG_VERSION" ]; then
        say "making a PostgreSQL cluster ..."
        rm -rf "$STORES/postgres.new"
        (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >"$STORES/password")
        give_to_store_user "$STORES/password"
        (
            cd / && as_store_user "$bin/initdb" -D "$STORES/postgres.new" --username=postgres --pwfile="$STORES/password" \
                --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-instructions >/dev/null
        )
        rm "$STORES/password"
        mv "$STORES/postgres.new" "$STORES/postgres"
    fi
    export PGPASSWORD=$POSTGRES_PASSWORD
    local version
    version=$(version_in psql -XAtq -h "$STORES" -U postgres -d postgres -c 'SHOW server_version' || true)
    # One that does not answer is starting, or on its way out: it is not older for that.
    if [ -n "$version" ] && [ "$version" != "$(version_in "$bin/postgres" --version)" ]; then
        say "PostgreSQL was updated; stopping the older one ..."
        (cd / && as_store_user "$bin/pg_ctl" -D "$STORES/postgres" -m fast -w stop >/dev/null)
    fi
    if ! (cd / && as_store_user "$bin/pg_ctl" -D "$STORES/postgres" status >/dev/null 2>&1); then
        say "starting PostgreSQL ..."
        (
            cd / && as_store_user "$bin/pg_ctl" -D "$STORES/postgres" -w -t 60 -l "$STORES/postgres.log" -o \
                "-c listen_addresses= -c unix_socket_directories=$STORES -c port=5432 -c max_connections=100" start \
                >/dev/null </dev/null
        ) || fail "PostgreSQL does not start; see $STORES/postgres.log"
    fi
    if [ -z "$(psql -XAtq -h "$STORES" -U postgres -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'stock'")" ]; then
        psql -Xq -h "$STORES" -U postgres -d postgres -c "CREATE DATABASE stock"
    fi
    unset PGPASSWORD
}

start_redis() {
    mkdir -p "$STORES/redis"
    if running "$STORES/redis/pid" redis-server; then return; fi
    say "starting Redis ..."
    (
        umask 077
        cat >"$STORES/redis/redis.conf" <<TEXT
port 0
unixsocket $STORES/redis/redis.sock
unixsocketperm 777
requirepass $REDIS_SECRET
maxmemory 256mb
maxmemory-policy allkeys-lru
save 60 1
dir $STORES/redis
pidfile $STORES/redis/pid
logfile $STORES/redis/log
daemonize yes
TEXT
    )
    give_to_store_user "$STORES/redis"
    (cd / && as_store_user redis-server "$STORES/redis/redis.conf" >/dev/null)
    local tries=0
    until REDISCLI_AUTH=$REDIS_SECRET redis-cli -s "$STORES/redis/redis.sock" ping 2>/dev/null | grep -q PONG; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "Redis does not start; see $STORES/redis/log"
        sleep 0.1
    done
}

# What the instances and the command line are configured with.
load_environment() {
    export AUTH_SECRET
    export DATABASE_URL="postgresql://stock_app:$STOCK_APP_PASSWORD@/stock?host=$STORES"
    export DATABASE_OWNER_URL="postgresql://postgres:$POSTGRES_PASSWORD@/stock?host=$STORES"
    export REDIS_URL="unix://:$REDIS_SECRET@$STORES/redis/redis.sock"
    export LOG_FORMAT=${LOG_FORMAT:-text}
    # Read at the start and not compiled in: a commit rebuilds nothing.
    STOCK_COMMIT=$(commit_of_sources)
    export STOCK_COMMIT
    write_command
}

# .stock/exports: what makes a shell's commands those of this shop, for `scripts/up --env`. Settings typed before a command still count.
# .stock/bin/stock: the program, to be found by PATH; the migrations are named to it, as a build need not lie below them.
# .stock/stock: the program with these settings. The secrets stay in files that this user alone may read.
write_command() {
    mkdir -p "$STATE/bin"
    (
        umask 077
        {
            printf 'export %q\n' "AUTH_SECRET=$AUTH_SECRET" "DATABASE_URL=$DATABASE_URL" \
                "DATABASE_OWNER_URL=$DATABASE_OWNER_URL" "REDIS_URL=$REDIS_URL"
            printf 'export PATH=%q:"$PATH"\n' "$STATE/bin"
        } >"$STATE/exports"
        {
            printf '#!/usr/bin/env bash\n'
            # shellcheck disable=SC2016 # the words are for the command to expand
            printf 'case "${1:-} $*" in *--sql*) ;; "doctor "* | "migrate migrate "*) set -- "$@" --sql %q ;; esac\n' "$PWD/sql"
            printf 'exec %q "$@"\n' "$STOCK"
        } >"$STATE/bin/stock"
        printf '#!/usr/bin/env bash\n. %q\nexec %q "$@"\n' "$STATE/exports" "$STATE/bin/stock" >"$STATE/stock"
        chmod 700 "$STATE/bin/stock" "$STATE/stock"
    )
}

# The commit the sources are, -dirty with changes that are in none; nothing without a repository.
commit_of_sources() {
    local commit
    commit=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || return 0
    if [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then commit+=-dirty; fi
    printf '%s' "$commit"
}

# running PIDFILE WORD: is the process there, and does its command line name the word?
running() {
    local pid
    # One that ends while it is read is not there: nothing is said of that.
    [ -s "$1" ] && pid=$(cat "$1") && grep -aqs "$2" "/proc/$pid/cmdline"
}

start_instances() {
    local ports
    if [ -s "$STATE/ports" ]; then
        read -r PORT_A PORT_B <"$STATE/ports"
    else
        ports=$(free_port_from "${PORT_A:-8080}")
        PORT_B=$(free_port_from "${PORT_B:-$((ports + 1))}")
        PORT_A=$ports
    fi
    running "$STATE/a.pid" serve || PORT_A=$(free_port_from "$PORT_A")
    running "$STATE/b.pid" serve || PORT_B=$(free_port_from "$PORT_B")
    if [ "$PORT_A" = "$PORT_B" ]; then PORT_B=$(free_port_from $((PORT_A + 1))); fi
    printf '%s %s\n' "$PORT_A" "$PORT_B" >"$STATE/ports"
    start_instance a "$PORT_A"
    start_instance b "$PORT_B"
    wait_until_ready a "$PORT_A"
    wait_until_ready b "$PORT_B"
}

start_instance() {
    running "$STATE/$1.pid" serve && return
    say "starting instance $1 on port $2 ..."
    # Where its metrics are; the file is for whoever wants to know.
    local operations
    operations=$(free_port_from $(($2 + 1000)))
    printf '%s\n' "$operations" >"$STATE/$1.operations"
    # In a session of its own, so that it outlives this terminal. No balancer has to look away before it stops.
    STOCK_INSTANCE=$1 STOCK_LISTEN=127.0.0.1:$2 STOCK_OPERATIONS_LISTEN=127.0.0.1:$operations \
        STOCK_DRAIN_DELAY=${STOCK_DRAIN_DELAY:-0} setsid "$STOCK" serve </dev/null >>"$STATE/$1.log" 2>&1 &
    printf '%s\n' "$!" >"$STATE/$1.pid"
    # Whoever kills it need not be told.
    disown
}

wait_until_ready() {
    local tries=0
    until curl -fs -o /dev/null "http://127.0.0.1:$2/health/ready"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 300 ] || ! running "$STATE/$1.pid" serve; then
            tail -n 5 "$STATE/$1.log" >&2
            fail "instance $1 is not ready; see $STATE/$1.log"
        fi
        sleep 0.1
    done
}

# end PIDFILE WORD: SIGTERM, and SIGKILL if it is still there after 30 seconds.
end() {
    local pid tries=0
    running "$1" "$2" || {
        rm -f "$1"
        return 0
    }
    pid=$(cat "$1")
    kill -TERM "$pid"
    while running "$1" "$2"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 300 ]; then
            kill -KILL "$pid"
            break
        fi
        sleep 0.1
    done
    rm -f "$1"
}

stop_everything() {
    local bin
    if [ ! -d "$STATE" ]; then
        say "nothing is running"
        return
    fi
    STORES=$(stores_folder)
    end "$STATE/a.pid" serve
    end "$STATE/b.pid" serve
    end "$STORES/redis/pid" redis-server
    bin=$(cluster_programs)
    if [ -n "$bin" ] && [ -e "$STORES/postgres/postmaster.pid" ]; then
        (cd / && as_store_user "$bin/pg_ctl" -D "$STORES/postgres" -m fast -w stop >/dev/null) || true
    fi
    say "stopped"
}

delete_everything() {
    if [ -L "$STATE/stores" ]; then rm -rf "$(stores_folder)"; fi
    rm -rf "$STATE"
    say "deleted"
}
