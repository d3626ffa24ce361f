# Every GET of a chain that has grown, by the time the database takes for it. Sourced by Benchmarks/run.
# shellcheck shell=bash

# A large shop of twenty locations and two small ones, straight into the tables; before any instance is started.
fill_sizes() {
    command -v python3 >/dev/null || fail "please install python3: sudo apt-get install python3"
    say "filling a chain of 20 locations, ${SIZE_PRODUCTS:=100000} products and ${SIZE_SALES:=1050000} sales of three years ..."
    {
        printf 'SET fill.%s;\n' tenants=3 large=2 "products=$SIZE_PRODUCTS" "sales=$SIZE_SALES" lines=1 small_products=50 \
            small_sales=100 days=1095
        cat Tests/shops.sql Benchmarks/sizes.sql
        printf 'VACUUM ANALYZE;\n'
    } | PGPASSWORD=$POSTGRES_PASSWORD psql -Xq -v ON_ERROR_STOP=1 -h "$STORES" -U postgres -d stock >&2
}

measure_sizes() {
    local key
    key=$("$STOCK" key create --tenant shop-2 --name sizes \
        --scopes catalog:read,stock:read,sales:read,customers:read,reports:read,admin </dev/null | grep -o 'stk_[A-Za-z0-9_.-]*' | head -n 1)
    [ -n "$key" ] || fail "no key for the shop"
    say "every GET, computed anew for each request; goal: database 10 ms for a report, 5 ms for a page"
    PGPASSWORD=$POSTGRES_PASSWORD python3 Benchmarks/sizes.py --url "http://127.0.0.1:$PORT_A" --key "$key" -- \
        psql -h "$STORES" -U postgres -d stock
}
