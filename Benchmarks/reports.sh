# Reports, searches and lists of a shop that has grown, each computed anew. Sourced by Benchmarks/run.
# shellcheck shell=bash

# A large shop and two small ones, straight into the tables; before any instance is started. One product in twenty runs out.
fill_reports() {
    say "filling a shop of ${REPORT_PRODUCTS:=100000} products and ${REPORT_SALES:=1000000} sales of three years ..."
    {
        printf 'SET fill.%s;\n' tenants=3 large=2 "products=$REPORT_PRODUCTS" "sales=$REPORT_SALES" lines=1 small_products=50 \
            small_sales=100 days=1095
        cat Tests/shops.sql
        printf '%s\n' "UPDATE stock.product SET min_stock = 2000000 WHERE hashtext(id::text) % 20 = 0;" \
            "UPDATE stock.stock_level SET on_hand = 0 WHERE hashtext(product_id::text) % 60 = 0;" "VACUUM ANALYZE;"
    } | PGPASSWORD=$POSTGRES_PASSWORD psql -Xq -v ON_ERROR_STOP=1 -h "$STORES" -U postgres -d stock >&2
}

# measure_report WHAT PATH: the time of its statements in the database and of the whole request, none of it from a cache.
measure_report() {
    local what=$1 path=$2 count=${REPORT_REQUESTS:-100} wrong
    for _ in $(seq "$count"); do
        printf 'url = "http://127.0.0.1:%s%s"\noutput = "/dev/null"\n' "$PORT_A" "$path"
    done >"$STATE/report.curl"
    report_times >/dev/null
    owner_sql "SELECT pg_stat_statements_reset()" >/dev/null
    report_times >"$STATE/report.times"
    wrong=$(grep -cv '^200 ' "$STATE/report.times" || true)
    [ "$wrong" = 0 ] || fail "$path: $wrong of $count requests failed: $(grep -v '^200 ' "$STATE/report.times" | head -n 1)"
    printf '  %-42s database %6s ms   HTTP p50 %6s ms, p95 %6s ms\n' "$what" \
        "$(owner_sql "SELECT coalesce(round((sum(total_exec_time) / $count)::numeric, 2), 0) FROM pg_stat_statements
            WHERE userid = 'stock_app'::regrole AND query LIKE '%pg_current_snapshot()%' AND query NOT LIKE '%cache_follow(%'")" \
        "$(report_percentile 50)" "$(report_percentile 95)"
}

# Asks for each line of the list, one after the other on one connection.
report_times() {
    curl -sS -H "Authorization: Bearer $report_key" -H 'Cache-Control: no-cache' -w '%{http_code} %{time_total}\n' -K "$STATE/report.curl"
}

report_percentile() {
    awk '{ print $2 * 1000 }' "$STATE/report.times" | sort -n | awk -v p="$1" '{ v[NR] = $1 } END { printf "%.2f", v[int((NR - 1) * p / 100) + 1] }'
}

measure_reports() {
    local today since week_from week_to view category rare=$((REPORT_PRODUCTS - 33)) report_key
    report_key=$("$STOCK" key create --tenant shop-2 --name reports --scopes reports:read,catalog:read,stock:read,sales:read,customers:read \
        </dev/null | grep -o 'stk_[A-Za-z0-9_.-]*' | head -n 1)
    [ -n "$report_key" ] || fail "no key for the shop"
    today=$(date -u +%F)
    since=$(date -u -d '1094 days ago' +%F)
    week_from=$(date -u -d '300 days ago' +%F)
    week_to=$(date -u -d '294 days ago' +%F)
    category=$(owner_sql "SELECT id FROM stock.category WHERE tenant_id = (SELECT id FROM stock.tenant WHERE slug = 'shop-2') LIMIT 1")
    say "reports of three years, computed for each request; goal: database 5 ms, HTTP p50 8 ms"
    for view in daily weekly monthly yearly; do
        measure_report "series, $view" "/v1/balance/series?view=$view&from=$since&to=$today"
    done
    measure_report "series, daily, cash" "/v1/balance/series?view=daily&from=$since&to=$today&method=cash"
    measure_report "summary" "/v1/balance/summary?from=$since&to=$today"
    measure_report "dashboard" "/v1/dashboard"
    say "searches and lists, likewise; goal: HTTP p50 10 ms"
    measure_report "products" "/v1/products"
    measure_report "products: a word of all" "/v1/products?q=thing"
    measure_report "products: two words of one" "/v1/products?q=$rare%20thing"
    measure_report "products: inside of a SKU" "/v1/products?q=ku-$rare"
    measure_report "products: none has it" "/v1/products?q=xyzzy"
    measure_report "products: none has the letter" "/v1/products?q=z"
    measure_report "products: by barcode" "/v1/products?barcode=$(printf '%13s' "$rare" | tr ' ' 4)"
    measure_report "products: look-up of a code" "/v1/products/lookup?code=sku-$rare"
    measure_report "products: of a category" "/v1/products?category_id=$category"
    measure_report "stock" "/v1/stock"
    measure_report "stock: low" "/v1/stock?stock=low"
    measure_report "stock: out, of a category" "/v1/stock?stock=out&category_id=$category"
    measure_report "customers: one by their name" "/v1/customers?q=mer%20$((REPORT_SALES / 20 - 3))"
    measure_report "customers: none" "/v1/customers?q=xyzzy"
    measure_report "sales of a week" "/v1/sales?from=$week_from&to=$week_to"
    measure_report "payments: transfers of a week" "/v1/payments?method=transfer&from=$week_from&to=$week_to"
}
