#!/usr/bin/env python3
"""Plays a recorded day against a server, and holds what the server says at its end against books kept beside it.

    play.py --url http://127.0.0.1:8080 --key KEY [--url ...] [--seed 1] [--sales 500] [--offline 0] [--record FILE]
    play.py --url http://127.0.0.1:8080 --key KEY --check FILE

KEY is an API key of a new shop in a currency of two decimals, with every scope. Several URLs are instances of one server; requests
go to them in turn. --record writes down what happened and which ids it got; --check compares once more. The exit status is 0 if
every figure agrees to the cent, 1 if one does not.
"""

import argparse
import datetime
import itertools
import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from decimal import Decimal

from books import Books
from day import SHOP, recorded


class Server:
    """One server, of which there may be several instances."""

    def __init__(self, urls, key):
        self.urls = itertools.cycle(urls)
        self.key = key
        self.token = None

    def send(self, method, path, body=None, idempotency_key=None, match=None):
        """The answer to a request; sent again, by its key, while the server asks for that."""
        headers = {"Authorization": f"Bearer {self.key}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        if match:
            headers["If-Match"] = match
        if self.token:
            headers["Stock-Consistency"] = self.token
        for _ in range(200):
            request = urllib.request.Request(next(self.urls) + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    self.token = answer.headers.get("Stock-Consistency", self.token)
                    return json.loads(answer.read() or "null")
            except urllib.error.HTTPError as error:
                said = error.read().decode()
                if error.code not in (429, 503):
                    raise SystemExit(f"{method} {path} {body}: {error.code} {said}") from None
                time.sleep(min(float(error.headers.get("Retry-After", 1)), 0.2))
        raise SystemExit(f"{method} {path}: the server is too busy")

    def all(self, path):
        """Every row of a list."""
        rows, cursor = [], None
        while True:
            mark = "&" if "?" in path else "?"
            page = self.send("GET", f"{path}{mark}limit=200" + (f"&cursor={cursor}" if cursor else ""))
            rows += page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return rows


class Player:
    """Does on the server what happened."""

    def __init__(self, server, ids=None):
        self.server = server
        self.ids = ids or {kind: {} for kind in ("branch", "till", "session", "product", "customer", "supplier",
                                                 "sale", "lines", "purchase", "transfer")}
        self.run = uuid.uuid4().hex
        self.steps = 0

    def post(self, path, body):
        self.steps += 1
        return self.server.send("POST", path, body, f"{self.run}-{self.steps}")

    def make(self, path, body):
        return self.server.send("POST", path, body)["id"]

    def set_up(self):
        """Makes the shop's branches, tills, people and goods."""
        server, ids = self.server, self.ids
        server.send("PATCH", "/v1/tenant", {"cash_rounding": SHOP["cash_rounding"]}, match="*")
        first = next(place for place in server.all("/v1/locations") if place["kind"] != "transit")
        for place, name in enumerate(SHOP["branches"]):
            if place == 0:
                server.send("PATCH", f"/v1/locations/{first['id']}", {"name": name}, match="*")
                ids["branch"][name] = first["id"]
            else:
                ids["branch"][name] = self.make("/v1/locations", {"name": name})
        for till, branch in SHOP["tills"]:
            ids["till"][till] = self.make(
                "/v1/registers", {"name": till, "location_id": ids["branch"][branch], "requires_session": True}
            )
        units = {
            decimals: self.make("/v1/units", {"name": f"Unit {decimals}", "symbol": f"u{decimals}", "decimals": decimals})
            for decimals in (0, 3)
        }
        for product in SHOP["products"]:
            ids["product"][product["sku"]] = self.make(
                "/v1/products",
                {
                    "sku": product["sku"],
                    "name": product["name"],
                    "unit_id": units[product["decimals"]],
                    "price": product["price"],
                    "tax_rate": product["tax_rate"],
                },
            )
        for name in SHOP["customers"]:
            ids["customer"][name] = self.make("/v1/customers", {"name": name})
        for name in SHOP["suppliers"]:
            ids["supplier"][name] = self.make("/v1/suppliers", {"name": name})

    def play(self, happening):
        getattr(self, happening["what"])(happening)

    # Tills

    def open(self, happening):
        till = self.ids["till"][happening["till"]]
        made = self.post(f"/v1/registers/{till}/sessions", {"float": happening["float"]})
        self.ids["session"][happening["till"]] = made["id"]

    def entry(self, happening):
        session = self.ids["session"][happening["till"]]
        body = {"kind": happening["what"], "amount": happening["amount"]}
        self.post(f"/v1/cash-sessions/{session}/entries", body)

    paid_in = paid_out = drop = entry

    def close(self, happening):
        session = self.ids["session"][happening["till"]]
        self.post(f"/v1/cash-sessions/{session}/close", {"counted": happening["counted"]})

    # Sales

    def sale(self, happening):
        body = {
            "register_id": self.ids["till"][happening["till"]],
            "lines": [
                {"product_id": self.ids["product"][line["sku"]], "quantity": line["quantity"], "discount": line["discount"]}
                for line in happening["lines"]
            ],
            "discount": happening["discount"],
            "payments": happening["payments"],
        }
        if happening["customer"]:
            body["customer_id"] = self.ids["customer"][happening["customer"]]
        if "recorded" in happening:
            # A sale that took place without the server: under the till's own id, at its time and prices.
            now = datetime.datetime.now(datetime.timezone.utc)
            body |= {"recorded": happening["recorded"], "id": str(uuid.uuid4()), "occurred_at": now.isoformat()}
            prices = {product["sku"]: product["price"] for product in SHOP["products"]}
            for line, sold in zip(body["lines"], happening["lines"]):
                line["unit_price"] = prices[sold["sku"]]
        made = self.post("/v1/sales", body)
        self.ids["sale"][str(happening["number"])] = made["id"]
        self.ids["lines"][str(happening["number"])] = [line["id"] for line in made["lines"]]

    def take_back(self, happening):
        number = str(happening["number"])
        self.post(
            f"/v1/sales/{self.ids['sale'][number]}/returns",
            {
                "register_id": self.ids["till"][happening["till"]],
                "lines": [
                    {
                        "sale_line_id": self.ids["lines"][number][line["line"]],
                        "quantity": line["quantity"],
                        "restock": line["restock"],
                    }
                    for line in happening["lines"]
                ],
                "payments": happening["payments"],
            },
        )

    def collect(self, happening):
        self.post(
            "/v1/payments",
            {
                "direction": "in",
                "customer_id": self.ids["customer"][happening["customer"]],
                "register_id": self.ids["till"][happening["till"]],
                "method": happening["method"],
                "amount": happening["amount"],
            },
        )

    # Goods

    def opening(self, happening):
        movement = {
            "type": "opening",
            "product_id": self.ids["product"][happening["sku"]],
            "location_id": self.ids["branch"][happening["branch"]],
            "quantity": happening["quantity"],
            "unit_cost": happening["cost"],
            "reason": "the day begins",
        }
        self.post("/v1/stock/movements", {"movements": [movement]})

    def order(self, happening):
        made = self.post(
            "/v1/purchases",
            {
                "supplier_id": self.ids["supplier"][happening["supplier"]],
                "location_id": self.ids["branch"][happening["branch"]],
                "lines": [
                    {
                        "product_id": self.ids["product"][line["sku"]],
                        "quantity": line["quantity"],
                        "unit_cost": line["cost"],
                    }
                    for line in happening["lines"]
                ],
                "costs": [{"name": "freight", "amount": value} for value in happening["costs"]],
            },
        )
        self.post(f"/v1/purchases/{made['id']}/order", {})
        self.ids["purchase"][str(happening["number"])] = [made["id"], [line["id"] for line in made["lines"]]]

    def receive(self, happening):
        purchase, lines = self.ids["purchase"][str(happening["number"])]
        came = [{"line_id": lines[line["line"]], "quantity": line["quantity"]} for line in happening["lines"]]
        self.post(f"/v1/purchases/{purchase}/receive", {"lines": came})

    def pay(self, happening):
        self.post(
            "/v1/payments",
            {
                "direction": "out",
                "supplier_id": self.ids["supplier"][happening["supplier"]],
                "method": happening["method"],
                "amount": happening["amount"],
            },
        )

    def send(self, happening):
        lines = [
            {"product_id": self.ids["product"][line["sku"]], "quantity": line["quantity"]}
            for line in happening["lines"]
        ]
        made = self.post(
            "/v1/transfers",
            {
                "from_location_id": self.ids["branch"][happening["from"]],
                "to_location_id": self.ids["branch"][happening["to"]],
                "lines": lines,
            },
        )
        self.post(f"/v1/transfers/{made['id']}/send", {})
        of_product = {line["product_id"]: line["id"] for line in made["lines"]}
        self.ids["transfer"][str(happening["number"])] = [made["id"], [of_product[line["product_id"]] for line in lines]]

    def arrive(self, happening):
        transfer, lines = self.ids["transfer"][str(happening["number"])]
        came = []
        for line in happening["lines"]:
            told = {"line_id": lines[line["line"]], "quantity": line["quantity"], "lost": line["lost"]}
            if Decimal(line["lost"]):
                told["reason"] = "broken"
            came.append(told)
        self.post(f"/v1/transfers/{transfer}/receive", {"lines": came})

    def count(self, happening):
        made = self.post("/v1/stock/counts", {"location_id": self.ids["branch"][happening["branch"]]})
        lines = [
            {"product_id": self.ids["product"][line["sku"]], "counted": line["counted"]} for line in happening["lines"]
        ]
        self.server.send("POST", f"/v1/stock/counts/{made['id']}/lines", {"lines": lines})
        self.post(f"/v1/stock/counts/{made['id']}/close", {})

    # What the server says of it

    def figures(self):
        """The figures of the books, as the server tells them."""
        server, ids, figures = self.server, self.ids, {}
        today = datetime.datetime.now(datetime.timezone.utc).date()
        days = [today + datetime.timedelta(days=days) for days in (-1, 1)]
        branch_of = dict(SHOP["tills"])

        def add(name, value):
            figures[name] = figures.get(name, Decimal(0)) + Decimal(value)

        for till, session in ids["session"].items():
            told = server.send("GET", f"/v1/cash-sessions/{session}")
            add(f"{till}: expected", told["expected"])
            add(f"{till}: difference", told["difference"])
            for tender in told["tenders"]:
                for direction in ("income", "expense"):
                    add(f"{direction} by {tender['method']} at the tills of {branch_of[till]}", tender[direction])
        for method in server.send("GET", f"/v1/balance/summary?from={days[0]}&to={days[1]}")["methods"]:
            for direction in ("income", "expense"):
                add(f"{direction} by {method['method']}", method[direction])
        worth = Decimal(0)
        names = {place: name for name, place in ids["branch"].items()}
        for sku, product in ids["product"].items():
            told = server.send("GET", f"/v1/products/{product}")
            add(f"{sku}: cost", told["cost"])
            worth += Decimal(told["on_hand"]) * Decimal(told["cost"])
            for place in server.send("GET", f"/v1/products/{product}/stock")["locations"]:
                if place["location_id"] in names:
                    add(f"{sku} at {names[place['location_id']]}", place["on_hand"])
        add("what the stock is worth", f"{worth:.2f}")
        for name, customer in ids["customer"].items():
            add(f"{name} owes", server.send("GET", f"/v1/customers/{customer}")["balance"])
        for name, supplier in ids["supplier"].items():
            add(f"owed to {name}", server.send("GET", f"/v1/suppliers/{supplier}")["payable"])
        for row in server.all("/v1/sales?status=confirmed"):
            sale = server.send("GET", f"/v1/sales/{row['id']}")
            add("returned", sale["returned_total"])
            for tax in sale["tax_breakdown"]:
                add(f"sold at {tax['rate']} % tax", tax["base"])
                add(f"tax at {tax['rate']} %", tax["amount"])
        return figures


def compare(books, told):
    """Prints every figure, and says whether all agree."""
    differ = 0
    for name in sorted(books.keys() | told.keys()):
        here, there = books.get(name, Decimal(0)), told.get(name, Decimal(0))
        differ += here != there
        print(f"{'' if here == there else 'DIFFERS  '}{name}: {here:f}{'' if here == there else f', the server says {there:f}'}")
    print(f"{len(books)} figures, {differ or 'none'} of which differ" if differ else f"{len(books)} figures agree")
    return differ == 0


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url", action="append", required=True)
    options.add_argument("--key", required=True)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--sales", type=int, default=500)
    options.add_argument("--offline", type=int, default=0)
    options.add_argument("--record")
    options.add_argument("--check")
    options = options.parse_args()
    server = Server(options.url, options.key)
    if options.check:
        with open(options.check, encoding="utf-8") as file:
            record = json.load(file)
        player = Player(server, record["ids"])
        happenings = record["happenings"]
    else:
        happenings, _ = recorded(options.seed, options.sales, options.offline)
        player = Player(server)
        player.set_up()
        for happening in happenings:
            player.play(happening)
        if options.record:
            with open(options.record, "w", encoding="utf-8") as file:
                json.dump({"happenings": happenings, "ids": player.ids}, file, ensure_ascii=False, indent=1)
    # From what was written down alone.
    books = Books(SHOP)
    for happening in happenings:
        books.apply(happening)
    return 0 if compare(books.figures(), player.figures()) else 1


if __name__ == "__main__":
    sys.exit(main())
