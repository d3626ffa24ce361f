"""The shop under the pages: what a check asks it past them, and what it has happen to it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

A, B, EMAIL, PASSWORD, AXE, FOLDER = sys.argv[1:]
PASSWORD = os.environ["PASSWORD"] if PASSWORD == "-" else PASSWORD
PORTS = tuple(int(base.rsplit(":", 1)[1]) for base in (A, B))
# The location that every shop has from the start.
MAIN = "00000000-0000-7000-8000-000000000001"
# What is sold where how much of it there is does not matter.
SKU = "TILL-1"
# Where pages may ask; a network between them and the instances is one more.
hosts = {f"127.0.0.1:{port}" for port in PORTS}


def say(text):
    print(text, flush=True)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def until(what, asked, seconds=30):
    """Asks until it is so: what a page has sent may not have been answered yet."""
    end = time.monotonic() + seconds
    while not asked():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.02)


class API:
    """The same shop, asked past the browser: to make what the views show, and to see what they did."""

    def __init__(self):
        self.key = 0
        self.log_in()

    def log_in(self):
        self.token = None
        self.token = self.call("POST", "/v1/auth/login", {"email": EMAIL, "password": PASSWORD})["access_token"]

    def call(self, method, path, body=None, base=B, match=None):
        self.key += 1
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"check-{time.time_ns()}-{self.key}", "Cache-Control": "no-cache"}
        if match:
            headers["If-Match"] = match
        while True:
            if self.token:
                headers["Authorization"] = f"Bearer {self.token}"
            request = urllib.request.Request(base + path, method=method, headers=headers, data=None if body is None else json.dumps(body).encode())
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    text = answer.read()
                return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code == 401 and self.token:
                    self.log_in()
                # As it says itself: later.
                elif error.code == 503:
                    time.sleep(float(error.headers.get("Retry-After", 1)))
                else:
                    raise

    def make_goods(self):
        """Something to sell of which there is enough, whatever else is tried."""
        self.goods = self.call("POST", "/v1/products", {"name": "Sold at the till", "sku": SKU, "price": "1.99", "tax_rate": "19", "tracks_stock": True})
        self.call("POST", "/v1/stock/movements", {"movements": [
            {"product_id": self.goods["id"], "type": "opening", "quantity": "100000", "reason": "enough", "location_id": MAIN}]})

    def sell(self):
        return self.call("POST", "/v1/sales", {"lines": [{"product_id": self.goods["id"], "quantity": "1"}], "payments": [{"method": "card", "amount": "1.99"}]})

    def last_sale(self):
        return self.call("GET", "/v1/sales?limit=1")["data"][0]


def happen(*words):
    """Has something happen to the shop, as scripts/console/happen says."""
    subprocess.run([os.path.join(os.path.dirname(__file__), "happen"), *words], check=True, stdout=subprocess.DEVNULL)


def kill(name):
    """Kills an instance in whatever it does, and waits until it is gone: it would not be started again before."""
    with open(f"{os.environ['SHOP_STATE']}/{name}.pid", encoding="ascii") as file:
        process = int(file.read())
    os.kill(process, signal.SIGKILL)

    def is_gone():
        try:
            with open(f"/proc/{process}/cmdline", encoding="utf-8") as file:
                return file.read() == ""
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(f"{name} is gone", is_gone)


def sign_in(browser, base):
    browser.open(base + "/console/")
    browser.wait("the form to sign in", "return document.querySelector('input[name=email]') !== null")
    browser.fill("input[name=email]", EMAIL)
    browser.type("Tab", PASSWORD, "Enter")
    # A password is hashed at the cost it has, in a debug build besides: where others hash, too, it may be given up.
    told = "return document.querySelector('.frame h1') ? 'in' : document.querySelector('.door [role=alert]:not([hidden])') ? 'given up' : null"
    for _ in range(3):
        if browser.wait("the frame", told, seconds=60) == "in":
            return
        browser.press("Sign in", ".door")
    browser.wait("the frame", "return document.querySelector('.frame h1') !== null", seconds=60)


def go(browser, view):
    """Opens a view, and waits until it shows what it has read."""
    browser.run("document.querySelector('main').replaceChildren(); location.hash = '#/' + arguments[0]; dispatchEvent(new Event('hashchange'))", view)
    browser.wait(f"the view {view}", """
        const shown = [...document.querySelectorAll('main .view')];
        return shown.length > 0 && shown.every((one) => one.hasAttribute('loaded') && !one.hasAttribute('failed'))""")


def choose(browser, name, value=None, within="dialog"):
    """Chooses in a field what has a text, or the first that is something, once it is there."""
    browser.wait(f"something to choose as {name}", """
        const field = document.querySelector(`${arguments[2]} select[name=${arguments[0]}]`);
        const option = [...(field?.options ?? [])].find((one) => (arguments[1] === null ? one.value : one.text === arguments[1]));
        if (option) field.value = option.value;
        return Boolean(option);""", name, value, within)


def nothing_is_said(browser, where):
    said = browser.complaints()
    check(not said, f"{where}: the browser complains: {said}")
    # In a data: address a picture is part of the page.
    elsewhere = [url for url in browser.requests() if not url.startswith(("data:", "blob:", "about:", "chrome")) and url.split("/")[2] not in hosts]
    check(not elsewhere, f"{where}: asked elsewhere: {elsewhere[:3]}")
