# Finds out what is missing on this machine and installs it, or says what to install. Sourced by scripts/up and scripts/test.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The newest PostgreSQL of Debian's and Ubuntu's layout, else whatever PATH has.
postgres_folder() {
    local newest
    newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -V | tail -n 1)
    if [ -n "$newest" ] && [ -x "$newest/postgres" ]; then
        printf '%s' "$newest"
    elif command -v postgres >/dev/null; then
        dirname "$(command -v postgres)"
    fi
}

# A python3 that can check the compose files; the first in PATH need not be the one apt installs for.
checking_python() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null && "$candidate" -c 'import jsonschema, yaml' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
}

# The Debian packages that what we need is in, one per line.
missing_packages() {
    command -v pkg-config >/dev/null || say pkg-config
    { command -v pkg-config >/dev/null && pkg-config --exists libpq; } || say libpq-dev
    { command -v pkg-config >/dev/null && pkg-config --exists hiredis; } || say libhiredis-dev
    { command -v pkg-config >/dev/null && pkg-config --exists zlib; } || say zlib1g-dev
    [ -n "$(postgres_folder)" ] || say postgresql
    command -v psql >/dev/null || say postgresql-client
    command -v redis-server >/dev/null || say redis-server
    command -v redis-cli >/dev/null || say redis-tools
    command -v curl >/dev/null || say curl
    command -v git >/dev/null || say git
    command -v gzip >/dev/null || say gzip
    command -v awk >/dev/null || say mawk
    command -v setpriv >/dev/null || say util-linux
    [ -e /usr/share/zoneinfo/Europe/London ] || say tzdata
}

# Installs what is missing, as root or by a sudo that asks nothing; else names it and stops.
ensure_packages() {
    local missing words=()
    command -v swift >/dev/null || fail "swift is not installed; Swift 6.3 is needed, see https://www.swift.org/install/linux/"
    missing=$(missing_packages | sort -u)
    [ -n "$missing" ] || return 0
    mapfile -t words <<<"$missing"
    if ! may_install; then fail "please install what is missing and run again: sudo apt-get install ${words[*]}"; fi
    install_packages "${words[@]}"
    missing=$(missing_packages | sort -u)
    [ -z "$missing" ] || fail "still missing after the installation: $(tr '\n' ' ' <<<"$missing")"
}

may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

install_packages() {
    local as_root=(env)
    [ "$(id -u)" = 0 ] || as_root=(sudo -n env)
    say "installing: $*"
    "${as_root[@]}" apt-get update -qq </dev/null
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}
