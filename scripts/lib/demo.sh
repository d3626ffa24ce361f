# The demo shop: products, customers and three months of sales, made by the command line and over HTTP as any shop would. Sourced by scripts/up.
# shellcheck shell=bash

DEMO_SLUG=demo

# Gives a request to instance a and prints the body. What is there already, from a run that was interrupted, stays; any other status than 2xx ends
# the script with the problem. The key is made of the request, so that repeating it does nothing.
demo_request() {
    local method=$1 path=$2 body=$3 answer key
    key=$(printf '%s' "$path $body" | md5sum | cut -c1-32)
    answer=$(
        curl -sS -X "$method" "http://127.0.0.1:$PORT_A$path" -w '\n%{http_code}' -H "Authorization: Bearer $DEMO_TOKEN" \
            -H 'Content-Type: application/json' -H "Idempotency-Key: $key" --data-binary "$body"
    )
    case ${answer##*$'\n'}${answer} in
    2??*) printf '%s\n' "${answer%$'\n'*}" ;;
    409*'"code":"duplicate"'*) ;;
    *) fail "$method $path: $answer" ;;
    esac
}

# The value of the first member of that name in the JSON text on standard input; the texts asked for hold no quotes.
json_text() {
    grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | sed 's/^[^:]*: *"//; s/"$//'
}

# make_tenant NAME SLUG CURRENCY TIMEZONE EMAIL, with the demo's password: by standard input, as arguments are for all to see.
make_tenant() {
    printf '%s' "$DEMO_PASSWORD" | "$STOCK" tenant create --name "$1" --slug "$2" --currency "$3" --timezone "$4" \
        --owner-email "$5" --owner-password-file - >/dev/null
}

fill_demo_shop() {
    local folder days since
    folder=$(mktemp -d "$STATE/demo.XXXXXX")
    if ! "$STOCK" tenant list </dev/null | grep -qw "$DEMO_SLUG"; then
        make_tenant "Kiezladen Demo" "$DEMO_SLUG" EUR Europe/Berlin "$DEMO_EMAIL"
    fi
    DEMO_TOKEN=$(
        curl -sS --retry 5 "http://127.0.0.1:$PORT_A/v1/auth/login" -H 'Content-Type: application/json' \
            -d "{\"email\":\"$DEMO_EMAIL\",\"password\":\"$DEMO_PASSWORD\"}" | json_text access_token
    ) || true
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
        demo_import sales "$folder/sales-$method.csv" --payment-method $method
    done
    demo_sales_today
    rm -rf "$folder"
}

demo_catalog() {
    local folder=$1 category movements
    cut -d, -f3 scripts/demo/products.csv | sed 1d | sort -u | while read -r category; do
        demo_request POST /v1/categories "{\"name\":\"$category\"}" >/dev/null
    done
    # What a shop would export from its old till, with an EAN-13 of the range for use inside a shop.
    awk -F, -v OFS=, '
        function barcode(n,    code, sum, i) {
            code = sprintf("200%09d", n)
            for (i = 1; i <= 12; i++) sum += substr(code, i, 1) * (i % 2 ? 1 : 3)
            return code (10 - sum % 10) % 10
        }
        FNR == 1 { print "sku,name,category,unit,price,tax_rate,min_stock,tracks_stock,barcodes"; next }
        { print $1, $2, $3, $4, $5, $7, $9, ($9 > 0 ? "true" : "false"), barcode(FNR - 1) }
    ' scripts/demo/products.csv >"$folder/products.csv"
    demo_import products "$folder/products.csv"

    # What was delivered before: all that will be sold, and what stands on the shelves now. Most are full, some run low, a few are empty.
    movements=$(
        awk -F, '
            FILENAME ~ /sales-/ { if (FNR > 1) sold[$2] += $4; next }
            FNR == 1 || $9 == 0 { next }
            {
                n++
                rest = n % 17 == 0 ? 0 : n % 7 == 0 ? int($9 / 2) : $9 * (2 + n % 5)
                quantity = sprintf($4 == "kg" ? "%.3f" : "%.0f", sold[$1] + rest)
                if (quantity == 0) next
                printf "%s{\"sku\":\"%s\",\"type\":\"opening\",\"quantity\":\"%s\",\"unit_cost\":\"%s\",\"reason\":\"opening stock\"}",
                    (printed++ ? "," : ""), $1, quantity, $6
            }
        ' "$folder"/sales-*.csv scripts/demo/products.csv
    )
    demo_request POST /v1/stock/movements "{\"movements\":[$movements]}" >/dev/null
}

# demo_import KIND FILE OPTION...
demo_import() {
    local kind=$1 file=$2
    shift 2
    "$STOCK" import "$kind" "$file" --tenant "$DEMO_SLUG" "$@" </dev/null >>"$STATE/demo.log" 2>&1 ||
        fail "the demo's $kind do not import; see $STATE/demo.log"
}

demo_customers() {
    local name email phone limit body
    # Two customers may have the same name: what is there is not made again.
    if curl -sS "http://127.0.0.1:$PORT_A/v1/customers?limit=1" -H "Authorization: Bearer $DEMO_TOKEN" | grep -q '"id"'; then return; fi
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
