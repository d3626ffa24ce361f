"""A till whose network is cut, and whose instance is killed, in the middle of sales."""

import os
import random
import threading
from collections import Counter

from network import ANSWERED, DONE, HALF, HEADED, SENT, UNSENT
from shop import MAIN, PORTS, SKU, check, choose, go, happen, kill, nothing_is_said, say

SALE, RECEIPT = "POST /v1/sales HTTP", "GET /v1/sales/"
PAID, TOLD = "before it is paid", "before its receipt is read"

# What somebody at the till is told: by the last of what is shown, as nobody reads what went away.
READ = """
    const sold = document.querySelector('dialog')?.innerText.match(/Sold · Sale (\\d+)/);
    const shown = document.querySelector('main')?.innerText ?? '';
    if (window.refusals?.length || shown.includes('was refused')) return ['refused', String(window.refusals)];
    if (sold) return ['done', Number(sold[1])];
    return shown.includes('waits for the connection') ? ['waits', null] : null;"""
NOTHING_WAITS = "return document.querySelector('.frame') !== null && !Object.keys(localStorage).some((one) => one.startsWith('stock.waiting'))"
IS_LIVE = "return document.querySelector('.side .light.up') !== null"


def opens_till(browser):
    go(browser, "sell")
    browser.run("""
        if (window.refusals) return;
        window.refusals = [];
        new MutationObserver(() => window.refusals.push(...[...document.querySelectorAll('#sayings .bad')].map((one) => one.innerText)))
          .observe(document.querySelector('#sayings'), { childList: true });""")


def fills_cart(browser, quantity):
    browser.type(f"{quantity}*{SKU}", "Enter")
    browser.wait("a line", "return document.querySelectorAll('.line-item').length === 1")
    browser.wait("its price", "return document.querySelector('.pay dl').innerText.includes('Tax')")


def pays(browser):
    browser.type("Enter")
    browser.wait("the form to pay", "return document.querySelector('dialog .settle input') === document.activeElement")
    browser.type("Enter")


def is_sold_once(api, before, quantity, where):
    sale = api.last_sale()
    check(sale["number"] == before + 1, f"{where}: {sale['number'] - before} sales were made, not one")
    sale = api.call("GET", f"/v1/sales/{sale['id']}")
    sold = [(line["quantity"], line["sku"]) for line in sale["lines"]]
    check(sold == [(str(quantity), SKU)] and sale["due"] == "0.00", f"{where}: sold {sold}, {sale['due']} due")


def ends_well(browser, api, before, quantity, where, mend, reloads=False):
    """Whatever the till says is true, and the sale is made once. Answers what it said first."""
    told, number = browser.wait(f"{where}: what became of the sale", READ, seconds=15)
    check(told != "refused", f"{where}: a sale was said to be refused: {number}")
    if told == "done":
        check(number == before + 1, f"{where}: sale {number} was said to be made, after {before}")
        is_sold_once(api, before, quantity, where)
        mend()
        browser.type("Enter")
        browser.wait(f"{where}: an empty cart", "return !document.querySelector('dialog') && document.querySelectorAll('.line-item').length === 0")
    else:
        mend()
        if reloads:
            browser.call("POST", "/refresh", {})
    browser.wait(f"{where}: that nothing waits", NOTHING_WAITS)
    is_sold_once(api, before, quantity, where)
    return told


def sells_through_cuts(browser, network, api, tries):
    """Each sale is made once, wherever its network is cut, and however."""
    seed = int(os.environ.get("CHECK_SEED", random.randrange(2**32)))
    say(f"cuts by chance: CHECK_SEED={seed}")
    chance = random.Random(seed)
    told = Counter()
    for number in range(tries):
        place = chance.choice((PAID, UNSENT, HALF, SENT, DONE, HEADED, ANSWERED, TOLD))
        length = chance.uniform(0, 3)
        how, cut = chance.choice((
            ("one connection breaks", network.blink if place == PAID else lambda: None), ("all connections break", network.blink),
            (f"it is broken for {length:.1f} s", lambda: (network.cut("broken"), threading.Timer(length, network.mend).start())),
            ("it is broken", lambda: network.cut("broken")), ("it is silent", lambda: network.cut("silent")),
        ))
        where = f"sale {number + 1}, cut {place}, {how}"
        quantity = number % 9 + 1
        before = api.last_sale()["number"]
        reloads = chance.random() < 0.3
        opens_till(browser)
        fills_cart(browser, quantity)
        if place == PAID:
            cut()
        else:
            ahead = network.cut_at(RECEIPT if place == TOLD else SALE, UNSENT if place == TOLD else place, chance.random(), cut)
        pays(browser)
        check(place == PAID or ahead.happened.wait(15), f"{where}: nothing was cut")
        told[ends_well(browser, api, before, quantity, where, network.mend, reloads)] += 1
        nothing_is_said(browser, where)
    say(f"{tries} sales whose network was cut are made once: {told['done']} were told to be done, {told['waits']} to wait until they were")


def keeps_both_carts(browser, network, api):
    """A sale that is refused when the next one has begun takes nothing from it, and is not lost."""
    product = api.call("POST", "/v1/products", {"name": "The last at the till", "sku": "TILL-2", "price": "4.00", "tax_rate": "0", "tracks_stock": True})
    move = {"product_id": product["id"], "type": "opening", "quantity": "1", "reason": "the last one", "location_id": MAIN}
    api.call("POST", "/v1/stock/movements", {"movements": [move]})
    before = api.last_sale()["number"]
    opens_till(browser)
    browser.type("TILL-2", "Enter")
    browser.wait("its price", "return document.querySelector('.pay dl').innerText.includes('Tax')")
    release, is_held = network.hold_at(SALE)
    pays(browser)
    check(is_held.wait(10), "the sale is on its way")
    api.call("POST", "/v1/stock/movements", {"movements": [{**move, "type": "loss", "quantity": "-1"}]})
    fills_cart(browser, 3)
    release()
    browser.wait("that it was refused", "return document.querySelector('main').innerText.includes('of €4.00') && document.querySelector('main').innerText.includes('was refused')")
    check(browser.run("return document.querySelector('.line-item .number').value") == "3", "what is in the cart stays there")
    browser.press("Discard", "main")
    browser.press("Discard", "dialog")
    browser.wait("that nothing waits", NOTHING_WAITS)
    browser.run("document.querySelector('.scan input').focus()")
    pays(browser)
    ends_well(browser, api, before, 3, "behind a sale that was refused", lambda: None)
    nothing_is_said(browser, "two carts")
    say("a sale that was refused when the next one had begun is kept beside it")


def is_paid_once(browser, network, api):
    """What a form sends again, because nobody knows what became of it, is done once."""
    customer = api.call("POST", "/v1/customers", {"name": "Pays at last"})
    api.call("POST", "/v1/sales", {"lines": [{"product_id": api.goods["id"], "quantity": "2"}], "customer_id": customer["id"], "payments": []})
    go(browser, f"customers/{customer['id']}")
    browser.press("Collect", "main")
    choose(browser, "method")
    ahead = network.cut_at("POST /v1/payments", DONE, 0, lambda: network.cut("broken"))
    browser.press("Collect", "dialog")
    check(ahead.happened.wait(15), "the payment is made")
    browser.wait("that nobody answers", "return document.querySelector('dialog [role=alert]:not([hidden])')?.innerText.includes('cannot be reached')")
    network.mend()
    browser.press("Collect", "dialog")
    browser.wait("that it is paid", "return !document.querySelector('dialog')")
    left = api.call("GET", f"/v1/customers/{customer['id']}")["balance"]
    check(left == "0.00", f"{left} is owed, and not nothing")
    nothing_is_said(browser, "a payment")
    say("a payment whose answer was lost, and which somebody sent again, was made once")


def outlives_instances(browser, network, api, tries):
    """An open page goes on where its instance is killed in the middle of a sale: with the other one, or when it is there again."""
    told = Counter()
    for number in range(tries):
        other_takes_over = number % 2 == 0
        where = f"instance killed, {'the other takes over' if other_takes_over else 'and started again'}"
        network.ports = PORTS if other_takes_over else PORTS[:1]
        network.blink()
        opens_till(browser)
        browser.wait("the stream", IS_LIVE)
        quantity = number % 9 + 1
        before = api.last_sale()["number"]
        fills_cart(browser, quantity)
        ahead = network.cut_at(SALE, SENT if number % 4 < 2 else DONE, 0, lambda: kill("a"))
        pays(browser)
        check(ahead.happened.wait(15), f"{where}: nothing was killed")
        start = (lambda: None) if other_takes_over else (lambda: happen("start", "a"))
        told[ends_well(browser, api, before, quantity, where, start)] += 1
        # What is sold elsewhere is seen again.
        browser.wait(f"{where}: the stream, again", IS_LIVE, seconds=20)
        go(browser, "today")
        figure = "return document.querySelector('main .figure strong').innerText"
        seen = browser.run(figure)
        api.sell()
        browser.wait(f"{where}: that the figure moves", f"{figure} !== arguments[0]", seen)
        nothing_is_said(browser, where)
        if other_takes_over:
            happen("start", "a")
    network.ports = PORTS
    say(f"{tries} times an instance was killed in the middle of a sale: {told['done']} were told to be done, {told['waits']} to wait; each was made once")
