# Measures what one tenant, or nobody in particular, can do to another. Sourced by Benchmarks/run.
# shellcheck shell=bash

# With the limits that ship: those of the other measurements are off.
measure_abuse() {
    local noisy neighbour
    make_tenant Noisy noisy EUR Europe/Berlin noisy@example.com
    noisy=$(login noisy@example.com)
    noisy_key=$("$STOCK" key create --tenant noisy --name abuse --scopes catalog:read,catalog:write </dev/null | grep -o 'stk_[A-Za-z0-9_.-]*' | head -n 1)
    [ -n "$noisy_key" ] || fail "no key for the noisy tenant"
    neighbour=$(login bench@example.com)
    end "$STATE/a.pid" serve
    end "$STATE/b.pid" serve
    unset RATE_LIMIT_TENANT RATE_LIMIT_KEY RATE_LIMIT_LOGIN RATE_LIMIT_IN_FLIGHT HTTP_CONNECTIONS HTTP_CONNECTIONS_PER_ADDRESS
    ulimit -n "$(ulimit -Hn)"
    start_instances
    # shellcheck disable=SC2086
    "$TOOLS/abuse" "$PORT_A" "$neighbour" "${products%%,*}" "$noisy" "$noisy_key" "$SECONDS_EACH" ${ATTACKS:-}
}
