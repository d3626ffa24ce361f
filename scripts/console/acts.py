"""What the views are there for, each done once, and seen past the page."""

import http.server
import json
import os
import tempfile
import threading

from shop import MAIN, SKU, check, choose, go, nothing_is_said, say, until


def closed(browser, what="that it is done"):
    browser.wait(what, "return !document.querySelector('dialog')")


def write(browser, **fields):
    """Types into fields of a dialog."""
    for name, text in fields.items():
        browser.wait(f"the field {name}", "return document.querySelector(`dialog [name=${arguments[0]}]`) !== null", name)
        browser.fill(f"dialog [name={name}]", text)


def find(browser, text):
    """Finds a record by what a field of a dialog that finds is given."""
    browser.wait("the field that finds", "return document.querySelector('dialog pick-field input') !== null")
    browser.run("document.querySelector('dialog pick-field input').focus()")
    browser.type(text)
    browser.wait(f"{text} to be found", "return document.querySelector('dialog [role=option]')?.innerText.includes(arguments[0])", text)
    browser.type("Enter")


def page(browser, view):
    """The id of the record whose page is there."""
    return browser.wait(f"the page of one of {view}", """
        const [, name, id] = location.hash.split('/');
        return name === arguments[0] && id && document.querySelector('main .view[loaded]') ? id : null""", view)


def settles_exceptions(browser, api):
    """What was written down as happened asks for somebody, who says what was done about it."""
    go(browser, "exceptions")
    browser.click("main tbody tr")
    browser.wait("the note", "return document.querySelector('dialog textarea') === document.activeElement")
    browser.type("Counted again: there were two.")
    browser.press("Settle", "dialog")
    browser.wait("that nothing is open", "return !document.querySelector('dialog') && document.querySelectorAll('main tbody tr').length === 0")
    settled = api.call("GET", "/v1/exceptions?status=settled")["data"]
    check([one["note"] for one in settled] == ["Counted again: there were two."], f"{settled}")
    go(browser, "exceptions?status=settled")
    check("there were two" in browser.text(), "what was done is told")
    say("an exception was settled")


def hold_answers(browser):
    """Has whatever is asked from now on wait until `answer()`."""
    browser.run("""
        const now = fetch;
        const asked = new Promise((resolve) => (window.answer = () => (window.fetch = now, resolve())));
        window.fetch = (...what) => asked.then(() => now(...what));""")


def writes_quotes(browser, api):
    """A quote is written, sent, accepted and sold at its own prices; another one is declined."""
    product = api.call("GET", "/v1/products/lookup?code=CO-002")["data"][0]
    go(browser, "quotes")
    browser.press("New quote", "main")
    browser.wait("where a product is found", "return document.querySelector('dialog pick-field input') === document.activeElement")
    # Who is faster than the answer means what it finds.
    hold_answers(browser)
    browser.type(product["name"], "Enter")
    browser.run("answer()")
    browser.wait("a line", "return document.querySelectorAll('dialog .lines .number').length === 3")
    browser.fill("dialog .lines label:nth-of-type(2) input", "0.50")
    browser.press("Save", "dialog")
    browser.wait("the quote", "return document.querySelector('main h1')?.innerText === 'Draft'")
    quote = browser.run("return location.hash.split('/')[2]")
    browser.press("Send", "main")
    browser.press("Accepted", "main")
    browser.wait("that it is accepted", "return document.querySelector('main .badge')?.innerText === 'Accepted'")
    browser.press("Sell", "main")
    browser.press("Sell", "dialog")
    browser.wait("the receipt", "return document.querySelector('dialog .receipt')?.innerText.includes('0.50')")
    browser.type("Escape")
    browser.wait("that it is sold", "return document.querySelector('main .badge')?.innerText === 'Sold'")
    sale = api.last_sale()
    quoted = api.call("GET", f"/v1/quotes/{quote}")
    check(quoted["sale_id"] == sale["id"] and sale["total"] == quoted["total"] == "0.50", f"{sale['total']} of {quoted['total']}")

    other = api.call("POST", "/v1/quotes", {"lines": [{"product_id": product["id"], "quantity": "1"}]})
    go(browser, f"quotes/{other['id']}")
    browser.press("Declined", "main")
    browser.wait("that nothing comes of it", "return document.querySelector('main .badge')?.innerText === 'Cancelled'")
    check(api.call("GET", f"/v1/quotes/{other['id']}")["status"] == "cancelled", "it is declined")
    say("a quote was written, sent, accepted and sold, and another one declined")


def tells_webhooks(browser, api):
    """A server is named, tested, told what happens, told again, given another secret, switched off and on."""
    told = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"taken")

        def log_message(self, *_):
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/"
    go(browser, "webhooks")
    browser.press("New webhook", "main")
    browser.wait("the address", "return document.activeElement.name === 'url'")
    browser.type(url, "Tab", "sale")
    browser.press("Create", "dialog")
    browser.wait("the secret", "return document.querySelector('dialog input[readonly]')?.value.startsWith('whsec_')")
    first = browser.run("return document.querySelector('dialog input[readonly]').value")
    browser.type("Escape")
    browser.wait("the webhook", "return document.querySelector('main h1')?.innerText === arguments[0]", url)
    webhook = browser.run("return location.hash.split('/')[2]")
    row = "return [...document.querySelectorAll('main tbody tr')].find((one) => one.innerText.includes(arguments[0]) && one.innerText.includes('Delivered')) !== undefined"
    browser.press("Test", "main")
    browser.wait("the test among the deliveries", row, "webhook.test")
    sale = api.sell()
    browser.wait("the sale among them", row, "sale.confirmed")
    browser.run("[...document.querySelectorAll('main tbody tr')].find((one) => one.innerText.includes('sale.confirmed')).click()")
    browser.wait("its answer", "return document.querySelector('dialog pre')?.innerText === 'taken'")
    browser.press("Send again", "dialog")
    browser.wait("it among them twice", "return document.querySelector('main').innerText.split('sale.confirmed').length === 3")
    kinds = [(one["type"], one["entity_id"]) for one in told if one["type"] != "webhook.test"]
    check(kinds == [("sale.confirmed", sale["id"])] * 2 and len(told) == 3, f"it was told {told}")
    browser.press("Another secret", "main")
    browser.press("Another secret", "dialog")
    browser.wait("the other secret", "return document.querySelector('dialog input[readonly]')?.value.startsWith('whsec_')")
    check(browser.run("return document.querySelector('dialog input[readonly]').value") != first, "it is another one")
    browser.type("Escape")
    browser.press("Switch off", "main")
    browser.wait("that it is off", "return document.querySelector('main').innerText.includes('Switch on')")
    check(not api.call("GET", f"/v1/webhooks/{webhook}")["active"], "it is off")
    browser.press("Switch on", "main")
    browser.wait("that it is on", "return document.querySelector('main').innerText.includes('Switch off')")
    check(api.call("GET", f"/v1/webhooks/{webhook}")["active"], "it is on")
    receiver.shutdown()
    say("a webhook was made, tested, told of a sale twice, given another secret, switched off and on")


def moves_goods(browser, api):
    """Goods are moved, counted, sent to another place and taken in there."""
    product = api.call("GET", "/v1/products/lookup?code=BR-002")["data"][0]
    api.call("POST", "/v1/locations", {"name": "Storehouse", "code": "STORE", "kind": "warehouse"})
    stock = lambda: float(api.call("GET", f"/v1/products/{product['id']}")["on_hand"])
    before = stock()
    go(browser, "stock")
    browser.press("Move goods", "main")
    find(browser, product["name"])
    choose(browser, "type", "Adjustment")
    choose(browser, "location_id")
    write(browser, quantity="9", reason="found behind the shelf")
    browser.press("Save", "dialog")
    closed(browser)
    check(stock() == before + 9, f"{stock()}, and not {before} and 9")

    go(browser, "counts")
    browser.press("New count", "main")
    choose(browser, "location_id")
    browser.press("Create", "dialog")
    count = page(browser, "counts")
    browser.wait("where it is counted", "return document.querySelector('#count-code')?.offsetParent")
    browser.run("document.querySelector('#count-code').focus()")
    browser.type("BR-002", "Enter", "7", "Enter")
    browser.wait("the line", "return document.querySelector('main tbody tr') !== null")
    browser.press("Close the count", "main")
    browser.press("Close the count", "dialog")
    closed(browser)
    check(api.call("GET", f"/v1/stock/counts/{count}")["status"] == "closed" and stock() == 7, f"{stock()}, and not 7")

    go(browser, "transfers")
    browser.press("New transfer", "main")
    find(browser, product["name"])
    choose(browser, "from_location_id", api.call("GET", f"/v1/locations/{MAIN}")["name"])
    choose(browser, "to_location_id", "Storehouse")
    browser.press("Save", "dialog")
    transfer = page(browser, "transfers")
    browser.press("Send", "main")
    browser.press("Send", "dialog")
    closed(browser)
    browser.press("Receive", "main")
    browser.press("Receive", "dialog")
    closed(browser)
    check(api.call("GET", f"/v1/transfers/{transfer}")["status"] == "received", "it is there")
    nothing_is_said(browser, "moving goods")
    say("goods were moved, counted, sent and received")


def buys(browser, api):
    """A supplier is written down; what is bought of them is ordered, received and paid."""
    product = api.call("GET", "/v1/products/lookup?code=BR-002")["data"][0]
    go(browser, "suppliers")
    browser.press("New supplier", "main")
    write(browser, name="Mill and Sons")
    browser.press("Create", "dialog")
    closed(browser)
    go(browser, "purchases")
    browser.press("New purchase", "main")
    find(browser, product["name"])
    browser.fill("dialog .lines label:nth-of-type(2) input", "1.25")
    choose(browser, "supplier_id", "Mill and Sons")
    choose(browser, "location_id")
    browser.press("Save", "dialog")
    purchase = page(browser, "purchases")
    for word in ("Order", "Receive"):
        browser.press(word, "main")
        browser.press(word, "dialog")
        closed(browser)
    browser.press("Pay", "main")
    choose(browser, "method")
    browser.press("Pay", "dialog")
    closed(browser)
    bought = api.call("GET", f"/v1/purchases/{purchase}")
    check((bought["status"], bought["total"], bought["due"]) == ("received", "1.25", "0.00"), f"{bought['status']}: {bought['due']} of {bought['total']}")
    nothing_is_said(browser, "buying")
    say("a supplier was written down; a purchase was ordered, received and paid")


def takes_money(browser, api):
    """What a customer owes is collected, a sale is cancelled, an expense is written down and undone."""
    customer = next(one for one in api.call("GET", "/v1/customers?has_balance=true")["data"] if float(one["balance"]) > 0)
    go(browser, f"customers/{customer['id']}")
    browser.press("Collect", "main")
    choose(browser, "method")
    browser.press("Collect", "dialog")
    closed(browser)
    left = api.call("GET", f"/v1/customers/{customer['id']}")["balance"]
    check(left == "0.00", f"{left} is still owed")

    sale = api.sell()
    go(browser, f"sales/{sale['id']}")
    browser.press("Cancel the sale", "main")
    write(browser, reason="It was the wrong one.")
    browser.press("Cancel the sale", "dialog")
    closed(browser)
    check(api.call("GET", f"/v1/sales/{sale['id']}")["status"] == "cancelled", "the sale is cancelled")

    go(browser, "expenses")
    browser.press("New expense", "main")
    choose(browser, "method")
    write(browser, category="window cleaning", amount="30")
    browser.press("Create", "dialog")
    closed(browser)
    browser.press("window cleaning", "main")
    browser.press("Reverse", "dialog")
    write(browser, reason="They did not come.")
    browser.press("Reverse", "dialog")
    closed(browser)
    spent = api.call("GET", "/v1/expenses?category=window%20cleaning")["data"]
    check([one["status"] for one in spent] == ["reversed"], f"{spent}")
    nothing_is_said(browser, "money")
    say("a debt was collected, a sale cancelled, an expense written down and reversed")


def runs_the_shop(browser, api):
    """Somebody is invited, a key made and revoked, the shop changed, a file tried, and a key of the cache explained."""
    go(browser, "people")
    browser.press("Invite", "main")
    write(browser, email="new@example.com")
    browser.press("Invite", "dialog")
    browser.wait("what they sign up with", "return document.querySelector('dialog input[readonly]')?.value.length > 20")
    browser.type("Escape")
    check([one["email"] for one in api.call("GET", "/v1/invitations")["data"]] == ["new@example.com"], "they are invited")

    go(browser, "keys")
    browser.press("New API key", "main")
    write(browser, name="Web shop")
    browser.run("document.querySelector('dialog input[value=\"catalog:read\"]').click()")
    browser.press("Create", "dialog")
    browser.wait("the key", "return document.querySelector('dialog input[readonly]')?.value.length > 20")
    browser.type("Escape")
    browser.press("Web shop", "main")
    browser.press("Revoke", "dialog")
    closed(browser)
    check(all(one["revoked_at"] for one in api.call("GET", "/v1/api-keys")["data"]), "the key is revoked")

    go(browser, "settings")
    browser.wait("the form", "return document.querySelector('main input[name=phone]') !== null")
    browser.fill("main input[name=phone]", "030 123456")
    browser.press("Save", "main")
    # That something was saved may still be said of what was done before.
    until("the shop is changed", lambda: api.call("GET", "/v1/tenant")["phone"] == "030 123456")

    go(browser, "imports")
    browser.press("New import", "main")
    with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False) as file:
        file.write("sku,name,price\nIMP-1,Brought along,2.50\n")
    browser.wait("the file", "return document.querySelector('dialog input[type=file]') !== null")
    # What somebody else changes of the shop takes no dialog from anybody.
    browser.run("""
        window.asked = 0;
        new PerformanceObserver((list) => (window.asked += list.getEntriesByName(`${location.origin}/v1/me`).length)).observe({ type: 'resource' });""")
    api.call("PATCH", "/v1/tenant", {"phone": "030 654321"}, match="*")
    browser.wait("who somebody is to be asked again", "return window.asked > 0")
    browser.call("POST", f"/element/{browser.find('dialog input[type=file]')}/value", {"text": file.name})
    browser.press("Go on", "dialog")
    browser.press("Send the file", "dialog:last-of-type")
    imported = page(browser, "imports")
    browser.wait("that it was tried", "return document.querySelector('main .badge')?.innerText === 'Completed'")
    os.unlink(file.name)
    tried = api.call("GET", f"/v1/imports/{imported}")
    check(tried["rows"] == 1 and tried["rejected"] == 0 and tried["options"]["dry_run"], f"{tried}")

    go(browser, "engine")
    browser.press("Explain a key", "main")
    browser.wait("where it comes from", "return document.querySelector('main .facts .badge') !== null")
    go(browser, "audit")
    browser.click("main tbody tr")
    browser.wait("what happened", "return document.querySelector('dialog pre')?.innerText.includes('subject')")
    browser.type("Escape")
    nothing_is_said(browser, "the shop")
    say("somebody was invited, a key made and revoked, the shop changed, a file tried, a key of the cache explained")


def sets_prices(browser, api):
    """The prices of what is listed are typed into one form, and those that were are changed."""
    skus = [f"LIST-{number}" for number in range(3)]
    for sku in skus:
        api.call("POST", "/v1/products", {"name": f"Listed {sku}", "sku": sku, "price": "4.00", "tax_rate": "19", "tracks_stock": False})
    go(browser, "products?q=LIST-")
    browser.wait("the three", "return document.querySelectorAll('main tbody tr').length === 3")
    browser.press("Change prices", "main")
    browser.wait("the prices", "return document.querySelectorAll('dialog input.number').length === 3")
    browser.fill("dialog .field:nth-of-type(2) input.number", "4.75")
    browser.press("Save", "dialog")
    closed(browser)
    prices = [api.call("GET", f"/v1/products/lookup?code={sku}")["data"][0]["price"] for sku in skus]
    check(sorted(prices) == ["4.00", "4.00", "4.75"], f"{prices}")
    nothing_is_said(browser, "prices")
    say("the price of one of three listed was changed")


def asks_who_is_meant(browser, api):
    """A name that was typed and of which nothing was chosen is no answer: the sale would be of nobody."""
    go(browser, "sell")
    browser.type("F2")
    browser.wait("where a customer is found", "return document.querySelector('dialog pick-field input') === document.activeElement")
    hold_answers(browser)
    browser.type("Nobody of this name", "Enter")
    browser.run("answer()")
    browser.wait("that one is to be chosen", "return document.querySelector('dialog')?.innerText.includes('Choose one of those found')")
    # What is emptied is nobody, and nobody who is found.
    customer = api.call("GET", "/v1/customers?limit=1&active=true")["data"][0]
    browser.fill("dialog pick-field input", customer["name"])
    browser.wait("the customer", "return document.querySelector('dialog [role=option]:not([hidden])')?.innerText.includes(arguments[0])", customer["name"])
    hold_answers(browser)
    browser.run("const input = document.querySelector('dialog pick-field input'); input.focus(); input.select()")
    browser.type("Delete", "Enter")
    browser.run("answer()")
    closed(browser)
    check(browser.run("return JSON.parse(localStorage[Object.keys(localStorage).find((one) => one.startsWith('stock.cart'))] ?? '{}').customer ?? null") is None,
          "a sale of nobody")
    nothing_is_said(browser, "who is meant")
    say("a name that is nobody's was asked for again, and no name is nobody")


def keeps_every_row(browser, api):
    """A report of more rows than a page has is shown and saved with all of them."""
    debtors = 205
    for number in range(debtors):
        customer = api.call("POST", "/v1/customers", {"name": f"Debtor {number:03}; \"Ñ\""})
        api.call("POST", "/v1/sales", {"customer_id": customer["id"], "lines": [{"sku": SKU, "quantity": "1"}]})
    go(browser, "reports/receivables")
    browser.wait("all of them", "return document.querySelectorAll('main tbody tr').length >= arguments[0]", debtors)
    shown = browser.run("""
        URL.createObjectURL = (blob) => (window.saved = blob, '');
        HTMLAnchorElement.prototype.click = () => {};
        return document.querySelectorAll('main tbody tr').length""")
    browser.press("CSV", "main")
    browser.wait("what is saved", "return window.saved !== undefined")
    lines = browser.run_async("window.saved.text().then(arguments[0])").lstrip("\ufeff").splitlines()
    check(lines[0].startswith("customer_id,") and len(lines) == shown + 1, f"{len(lines)} lines for {shown} rows: {lines[:2]}")
    check(len(set(lines)) == len(lines) and sum("Debtor" in line for line in lines) == debtors, "each of them once")
    browser.call("POST", "/refresh", {})
    browser.wait("the frame", "return document.querySelector('.frame h1') !== null")
    nothing_is_said(browser, "every row")
    say(f"a report of {shown} rows was shown and saved whole")


ACTS = [settles_exceptions, writes_quotes, tells_webhooks, moves_goods, buys, takes_money, sets_prices, asks_who_is_meant, keeps_every_row, runs_the_shop]
