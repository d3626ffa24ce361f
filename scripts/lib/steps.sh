# What scripts/up says of its progress, and that one of them works at a time. Sourced by scripts/up.
# shellcheck shell=bash

# So many seconds as people say them: 4 min 7 s.
minutes() {
    if [ "$1" -ge 60 ]; then printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi
}

# step NAME FORECAST: what comes now, about how long it takes, and how much time has gone by.
step() { say "== $1: $2 (after $(minutes "$SECONDS"))"; }

# one_at_a_time [ARGUMENT]...: goes on once no other scripts/up of this folder is at work, and says so while one is. The lock is on the folder
# itself, which --reset does not delete. A process above this one holds it: a file that is open here would stay open in what is started here.
one_at_a_time() {
    if [ -n "${STOCK_UP_LOCKED:-}" ]; then
        unset STOCK_UP_LOCKED
        return
    fi
    local status=0
    STOCK_UP_LOCKED=1 flock --close --nonblock --conflict-exit-code 75 . scripts/up "$@" || status=$?
    [ "$status" = 75 ] || exit "$status"
    say "another scripts/up is at work in this folder; waiting until it ends ..."
    STOCK_UP_LOCKED=1 exec flock --close . scripts/up "$@"
}

# About how long the build takes.
build_forecast() {
    local cores
    cores=$(nproc)
    if [ -x .build/release/stock ]; then
        printf 'what has changed, seconds to a few minutes'
    # As measured on two cores, which others used a little. Beyond four there is little to gain, as packages wait for each other.
    elif [ "$cores" -ge 4 ]; then
        printf 'everything, the first time; about 5 minutes on %s cores' "$cores"
    else
        printf 'everything, the first time; about %s minutes on %s' "$((16 / cores))" "$([ "$cores" = 1 ] && echo 'one core' || echo "$cores cores")"
    fi
}

# Builds the program, with all that the compiler says in .stock/build.log and how far it is here.
build_program() {
    local pause=20
    [ ! -t 1 ] || pause=1
    swift build "${RELEASE[@]}" --product stock </dev/null 2>&1 | tee "$STATE/build.log" | show_build "$pause" && return
    grep -E -A 3 '(^|[0-9]: )error: ' "$STATE/build.log" | head -n 30 >&2 || tail -n 30 "$STATE/build.log" >&2
    fail "the build failed; all it said is in $STATE/build.log"
}

# show_build SECONDS: reads what `swift build` prints and says every so many seconds how far it is; on a terminal in one line that changes.
show_build() {
    local line last="reading the packages" shown=$SECONDS status
    while :; do
        status=0
        # The compiler may be silent for a minute, and the time goes on.
        IFS= read -r -t 1 line || status=$?
        if [ "$status" = 0 ]; then
            [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] && last="${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} steps"
        elif [ "$status" -le 128 ]; then
            break
        fi
        [ $((SECONDS - shown)) -ge "$1" ] || continue
        shown=$SECONDS
        if [ -t 1 ]; then printf '\r\033[K   %s, %s' "$last" "$(minutes "$SECONDS")"; else say "   $last, $(minutes "$SECONDS")"; fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}
