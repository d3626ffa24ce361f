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

# How the program is built for use, by scripts/up and Benchmarks/run alike: each finds what the other has built. Debug information takes a tenth of the
# time and is left out; functions keep their names.
RELEASE=(-c release -debug-info-format none)

# How it is built for tests. The C of what it depends on is optimised, which costs a compiler nothing: else one password takes two seconds to hash.
# shellcheck disable=SC2034
DEBUG=(-Xcc -O2)

# What is there is not enough: it has to be new enough. Doctor.oldestServer holds the same number for PostgreSQL, and a test compares them.
SWIFT_NEEDED=6.3
POSTGRES_NEEDED=15.20 # fixes that row-level security needs
LIBPQ_NEEDED=14       # pipeline mode
HIREDIS_NEEDED=0.14
REDIS_NEEDED=7.0

# is_at_least HAVE NEEDED: compares versions number by number.
is_at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# The first version number in what a program prints of itself: "postgres (PostgreSQL) 15.20 (Debian ...)" is 15.20.
version_in() { "$@" 2>/dev/null </dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1; }

# The package that the server found by postgres_folder is from.
postgres_package() {
    local major
    major=$(version_in "$(postgres_folder)/postgres" --version)
    case "$(postgres_folder)" in
    /usr/lib/postgresql/*) printf 'postgresql-%s' "${major%%.*}" ;;
    *) printf postgresql ;;
    esac
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

# What is there and too old: "package, version that is there, version needed", one per line.
outdated_packages() {
    compare() { [ -z "$2" ] || is_at_least "$2" "$3" || say "$1 $2 $3"; }
    compare "$(postgres_package)" "$(version_in "$(postgres_folder)/postgres" --version)" "$POSTGRES_NEEDED"
    compare libpq-dev "$(version_in pkg-config --modversion libpq)" "$LIBPQ_NEEDED"
    compare libhiredis-dev "$(version_in pkg-config --modversion hiredis)" "$HIREDIS_NEEDED"
    compare redis-server "$(version_in redis-server --version)" "$REDIS_NEEDED"
}

# Installs what is missing and brings what is too old to the version needed, as root or by a sudo that asks nothing; else says what to run.
# Without something it stops; with something too old it goes on and says so: the tests leave out what the machine cannot give.
ensure_packages() {
    local missing outdated words=()
    command -v swift >/dev/null ||
        fail "swift is not installed; Swift $SWIFT_NEEDED is needed, see https://www.swift.org/install/linux/"
    # One without the libraries it needs is in PATH and does not start; the loader says which.
    swift --version >/dev/null 2>&1 </dev/null ||
        fail "swift does not start: $(swift --version 2>&1 </dev/null | head -n 1); see https://www.swift.org/install/linux/"
    is_at_least "$(version_in swift --version)" "$SWIFT_NEEDED" ||
        fail "swift is $(version_in swift --version); $SWIFT_NEEDED is needed, see https://www.swift.org/install/linux/"
    missing=$(missing_packages | sort -u)
    outdated=$(outdated_packages)
    [ -n "$missing$outdated" ] || return 0
    mapfile -t words < <(printf '%s\n' "$missing" "$outdated" | awk 'NF { print $1 }' | sort -u)
    if may_install; then
        install_packages "${words[@]}"
        missing=$(missing_packages | sort -u)
        outdated=$(outdated_packages)
        [ -z "$missing" ] || fail "still missing after the installation: $(tr '\n' ' ' <<<"$missing")"
    elif [ -n "$missing" ]; then
        fail "please install what is missing and run again: sudo apt-get install ${words[*]}"
    fi
    local name there needed
    while read -r name there needed; do
        [ -n "$name" ] || continue
        say "WARNING: $name is $there, and $needed is needed. Run: sudo apt-get update && sudo apt-get install $name"
    done <<<"$outdated"
}

may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

install_packages() {
    local as_root=(env) said
    [ "$(id -u)" = 0 ] || as_root=(sudo -n env)
    say "installing by apt, a minute or two: $*"
    said=$(mktemp)
    # Some hundred lines for a few packages; wanted when something is wrong.
    if ! {
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    } </dev/null >"$said" 2>&1; then
        tail -n 30 "$said" >&2
        rm -f "$said"
        fail "apt cannot install $*"
    fi
    rm -f "$said"
}

# The browser that the console is tested in, and what drives it.
ensure_browser() {
    if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then return; fi
    may_install || return 1
    install_packages chromium chromium-driver
}

# The load balancers that tests put in front of instances; they leave out what is not here, and say so.
missing_balancers() {
    [ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || say haproxy
    [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || say nginx-light
}

ensure_balancers() {
    local words=()
    mapfile -t words < <(missing_balancers)
    [ ${#words[@]} -gt 0 ] || return 0
    if may_install; then
        install_packages "${words[@]}"
    else
        say "SKIPPED: nothing is tested behind ${words[*]} (sudo apt-get install ${words[*]})"
    fi
}

# What the rules of docs/monitoring are tried with.
ensure_prometheus() {
    ! command -v prometheus >/dev/null || return 0
    if may_install; then
        install_packages prometheus
    else
        say "SKIPPED: no alert is seen to fire (sudo apt-get install prometheus)"
    fi
}

# What reads the functions of the schema, for the newest server that is here.
ensure_function_checker() {
    local package
    package=$(postgres_package)-plpgsql-check
    [ ! -e "$("$(postgres_folder)/pg_config" --sharedir 2>/dev/null)/extension/plpgsql_check.control" ] || return 0
    case $package in postgresql-[0-9]*) ;; *) return 0 ;; esac
    if may_install; then
        install_packages "$package"
    else
        say "SKIPPED: functions in the database are not read by a checker (sudo apt-get install $package)"
    fi
}

# install_python_tools FOLDER LIST: what a list of versions names, from PyPI, in a folder of its own, once per list; fails where it is not to be had.
install_python_tools() {
    local folder=$1 list=$2
    if cmp -s "$list" "$folder/installed"; then return 0; fi
    command -v python3 >/dev/null || { may_install && install_packages python3; } || return 1
    python3 -m venv --clear "$folder" 2>/dev/null || {
        may_install && install_packages python3-venv && python3 -m venv --clear "$folder"
    } || return 1
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$list" || return 1
    cp "$list" "$folder/installed"
}
