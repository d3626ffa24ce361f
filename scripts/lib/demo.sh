# The demo shop: products, customers and three months of sales, made by the command line and over HTTP as any shop would. Sourced by scripts/up.
# shellcheck shell=bash

DEMO_SLUG=demo

# Gives a request to instance a and prints the body; a status other than 2xx ends the script with the problem.
demo_request() {
    local method=$1 path=$2 body=$3 answer
    answer=$(
        curl -sS -X "$method" "http://127.0.0.1:$PORT_A$path" -w '\n%{http_code}' \
            -H "Authorization: Bearer $DEMO_TOKEN" -H 'Content-Type: application/json' \
            -H "Idempotency-Key: demo-$(random_word)" --data-binary "$body"
    )
    case ${answer##*$'\n'} in
    2??) printf '%s\n' "${answer%$'\n'*}" ;;
    *) fail "$method $path: $answer" ;;
    esac
}

# The value of the first member of that name in the JSON text on standard input; the texts asked for hold no quotes.
json_text() {
    grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | sed 's/^[^:]*: *"//; s/"$//'
}

fill_demo_shop() {
    local folder days since
    folder=$(mktemp -d "$STATE/demo.XXXXXX")
    if ! "$STOCK" tenant list </dev/null | grep -qw "$DEMO_SLUG"; then
        (umask 077 && printf '%s' "$DEMO_PASSWORD" >"$folder/password")
        "$STOCK" tenant create --name "Kiezladen Demo" --slug "$DEMO_SLUG" --currency EUR --timezone Europe/Berlin \
            --owner-email "$DEMO_EMAIL" --owner-password "$DEMO_PASSWORD" </dev/null >/dev/null
    fi
    DEMO_TOKEN=$(
        curl -sS "http://127.0.0.1:$PORT_A/v1/auth/login" -H 'Content-Type: application/json' \
            -d "{\"email\":\"$DEMO_EMAIL\",\"password\":\"$DEMO_PASSWORD\"}" | json_text access_token
    )
    [ -n "$DEMO_TOKEN" ] || fail "the demo login is refused"

    # Open on every day but Sunday, up to yesterday.
    since=$(date -d '90 days ago' +%F)
    days=$folder/days
    for number in $(seq 0 89); do date -d "$since + $number days" '+%F %u'; done | awk '$2 != 7' >"$days"
    for method in cash card; do
        awk -v method=$method -f scripts/demo/sales.awk scripts/demo/products.csv "$days" >"$folder/sales-$method.csv"
    done

    demo_catalog "$folder"
    demo_customers
    for method in cash card; do
        "$STOCK" import sales "$folder/sales-$method.csv" --tenant "$DEMO_SLUG" --payment-method $method </dev/null \
            >>"$STATE/demo.log" 2>&1 || fail "the demo sales do not import; see .stock/demo.log"
    done
    demo_sales_today
    rm -rf "$folder"
}

demo_catalog() {
    local folder=$1 sku name category unit price cost tax popularity minimum
    local -A units=() categories=() products=() sold=()
    local movements="" id left
    units[pc]=$(demo_request POST /v1/units '{"name":"Piece","symbol":"pc","decimals":0}' | json_text id)
    units[kg]=$(demo_request POST /v1/units '{"name":"Kilogram","symbol":"kg","decimals":3}' | json_text id)
    # What was sold of each, so that what was delivered before can be told.
    while IFS=, read -r sku quantity; do sold[$sku]=$quantity; done < <(
        awk -F, 'FNR > 1 { sold[$2] += $4 } END { for (sku in sold) printf "%s,%.3f\n", sku, sold[sku] }' "$folder"/sales-*.csv
    )
    local position=0
    while IFS=, read -r sku name category unit price cost tax popularity minimum; do
        [ "$sku" = sku ] && continue
        if [ -z "${categories[$category]:-}" ]; then
            categories[$category]=$(demo_request POST /v1/categories "{\"name\":\"$category\"}" | json_text id)
        fi
        position=$((position + 1))
        id=$(
            demo_request POST /v1/products "{\"sku\":\"$sku\",\"name\":\"$name\",\"barcodes\":[\"$(barcode $position)\"],\
\"category_id\":\"${categories[$category]}\",\"unit_id\":\"${units[$unit]}\",\"price\":\"$price\",\"tax_rate\":\"$tax\",\
\"tracks_stock\":$([ "$minimum" = 0 ] && printf false || printf true),\"min_stock\":\"$minimum\"}" | json_text id
        )
        products[$sku]=$id
        [ "$minimum" = 0 ] && continue
        # Most shelves are full, some run low, two are empty.
        left=$(awk -v sold="${sold[$sku]:-0}" -v minimum="$minimum" -v n=$position -v unit="$unit" 'BEGIN {
            rest = n % 17 == 0 ? 0 : n % 7 == 0 ? minimum / 2 : minimum * (2 + n % 5)
            printf unit == "kg" ? "%.3f" : "%.0f", sold + int(rest)
        }')
        movements="$movements${movements:+,}{\"product_id\":\"$id\",\"type\":\"opening\",\"quantity\":\"$left\",\
\"unit_cost\":\"$cost\",\"reason\":\"opening stock\"}"
    done <scripts/demo/products.csv
    demo_request POST /v1/stock/movements "{\"movements\":[$movements]}" >/dev/null
}

# An EAN-13 of the range for use inside a shop, with its check digit.
barcode() {
    awk -v n="$1" 'BEGIN {
        code = sprintf("200%09d", n)
        for (i = 1; i <= 12; i++) sum += substr(code, i, 1) * (i % 2 ? 1 : 3)
        print code (10 - sum % 10) % 10
    }'
}

demo_customers() {
    local name email phone limit body
    while IFS=, read -r name email phone limit; do
        [ "$name" = name ] && continue
        body="{\"name\":\"$name\""
        [ -n "$email" ] && body="$body,\"email\":\"$email\""
        [ -n "$phone" ] && body="$body,\"phone\":\"$phone\""
        [ -n "$limit" ] && body="$body,\"credit_limit\":\"$limit\""
        demo_request POST /v1/customers "$body}" >/dev/null
    done <scripts/demo/customers.csv
}

# A few sales of today, some of them on a customer's account.
demo_sales_today() {
    local customers customer
    mapfile -t customers < <(
        curl -sS "http://127.0.0.1:$PORT_A/v1/customers?limit=5" -H "Authorization: Bearer $DEMO_TOKEN" |
            grep -o '"id" *: *"[^"]*"' | sed 's/^[^:]*: *"//; s/"$//'
    )
    demo_request POST /v1/sales '{"lines":[{"sku":"CO-004","quantity":"2"},{"sku":"BR-003","quantity":"2"}],
        "payments":[{"method":"cash","amount":"8.80","tendered":"10.00"}]}' >/dev/null
    demo_request POST /v1/sales '{"lines":[{"sku":"DA-001","quantity":"1"},{"sku":"CO-004","quantity":"1"}],
        "payments":[{"method":"card","amount":"4.29"}]}' >/dev/null
    for customer in "${customers[@]:0:2}"; do
        demo_request POST /v1/sales "{\"customer_id\":\"$customer\",\"lines\":[{\"sku\":\"NE-001\",\"quantity\":\"5\"}],
            \"payments\":[{\"method\":\"transfer\",\"amount\":\"10.00\"}]}" >/dev/null
    done
}
