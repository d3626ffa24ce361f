"""A day of a shop with three branches: what happens, decided by a seed and written down before anybody is asked."""

import random
from decimal import Decimal

from books import Books, amount

BRANCHES = ["Mitte", "Nord", "Śródmieście"]

SHOP = {
    "cash_rounding": "0.05",
    "branches": BRANCHES,
    "tills": [[f"Till {number + 1}", BRANCHES[number // 2]] for number in range(6)],
    "customers": ["Ada Ñandú", "Œuvre & Cie", "Łukasz"],
    "suppliers": ["Großhandel"],
    "products": [
        {"sku": f"P{place:02}", "name": name, "decimals": decimals, "price": price, "tax_rate": rate}
        for place, (name, decimals, price, rate) in enumerate(
            [
                ("Apfelsaft", 0, "2.49", "21"),
                ("Brot", 0, "3.95", "10"),
                ("Café", 0, "12.99", "21"),
                ("Dátiles", 3, "8.25", "10"),
                ("Eier", 0, "0.33", "0"),
                ("Feta", 3, "17.37", "10"),
                ("Gläser", 0, "4.00", "21"),
                ("Honig", 0, "6.66", "10"),
                ("Ingwer", 3, "5.10", "0"),
                ("Jogurt", 0, "0.99", "10"),
                ("Kerzen", 0, "7.77", "21"),
                ("Löffel", 0, "1.01", "21"),
            ]
        )
    ],
}


class Day:
    """Writes down what happens, and keeps books so that nothing happens that could not."""

    def __init__(self, seed, sales, offline):
        self.random = random.Random(seed)
        self.books = Books(SHOP)
        self.happenings = []
        self.sales = sales
        # Spread over the day: tills lose their network one by one.
        self.offline = set(self.random.sample(range(1, sales + 1), min(offline, sales)))

    def happen(self, what, **fields):
        happening = dict(fields, what=what)
        self.books.apply(happening)
        self.happenings.append(happening)

    def on_hand(self, sku, branch):
        return self.books.products[sku]["on_hand"].get(branch, Decimal(0))

    def sku(self):
        return self.random.choice(SHOP["products"])["sku"]

    def quantity(self, sku, most):
        """Up to so many pieces; of what is weighed a part of one as well."""
        if self.books.products[sku]["decimals"]:
            return Decimal(self.random.randint(100, most * 1000)) / 1000
        return Decimal(self.random.randint(1, most))

    # What may happen

    def open_shop(self):
        for product in SHOP["products"]:
            for place, branch in enumerate(BRANCHES):
                cost = Decimal(product["price"]) * self.random.randint(40, 70) / 100
                self.happen(
                    "opening", sku=product["sku"], branch=branch, quantity=str(200 - 40 * place), cost=f"{cost:.6f}"
                )
        for till, _ in SHOP["tills"]:
            self.happen("open", till=till, float=f"{self.random.randint(10, 30) * 10}.00")

    def sell(self, number):
        till, branch = self.random.choice(SHOP["tills"])
        lines = []
        for _ in range(self.random.randint(1, 4)):
            sku = self.sku()
            quantity = self.quantity(sku, 3)
            taken = sum(Decimal(line["quantity"]) for line in lines if line["sku"] == sku)
            if taken + quantity > self.on_hand(sku, branch):
                continue
            worth = amount(quantity * Decimal(self.books.products[sku]["price"]))
            discount = worth * self.random.randint(1, 20) / 100 if self.random.random() < 0.1 else Decimal(0)
            lines.append({"sku": sku, "quantity": str(quantity), "discount": str(amount(discount))})
        if not lines:
            return
        sale = {"till": till, "number": number, "lines": lines, "discount": "0.00", "customer": None, "payments": []}
        _, total = self.books.priced(sale)
        if self.random.random() < 0.1:
            sale["discount"] = str(amount(total / 20))
            _, total = self.books.priced(sale)
        if number in self.offline:
            sale["recorded"] = "offline"
        chance = self.random.random()
        if chance < 0.12:
            sale["customer"] = self.random.choice(SHOP["customers"])
            part = amount(total * self.random.randint(0, 9) / 10)
            self.pay_by(sale, "card", part)
        elif chance < 0.5:
            self.pay_by(sale, "card", total)
        elif chance < 0.6:
            part = amount(total / 2)
            self.pay_by(sale, "card", part)
            self.pay_by(sale, "cash", self.books.in_cash(total - part))
        else:
            self.pay_by(sale, "cash", self.books.in_cash(total))
        if sale["payments"] and self.random.random() < 0.08:
            sale["payments"][-1]["tip"] = f"{self.random.randint(1, 4)}.00"
        self.happen("sale", **sale)

    def pay_by(self, sale, method, value):
        if value > 0:
            sale["payments"].append({"method": method, "amount": str(value), "tip": "0.00"})

    def take_back(self):
        number = self.random.choice(list(self.books.sales))
        sale = self.books.sales[number]
        lines = []
        for place, line in enumerate(sale["lines"]):
            left = line["quantity"] - line["returned"]
            whole = self.books.products[line["sku"]]["decimals"] == 0
            quantity = Decimal(self.random.randint(0, int(left))) if whole else left
            if quantity > 0 and not lines:
                lines.append({"line": place, "quantity": str(quantity), "restock": self.random.random() < 0.8})
        if not lines:
            return
        till, _ = self.random.choice(SHOP["tills"])
        _, _, owed = self.books.refund(number, lines)
        method = self.random.choice(["cash", "card"])
        value = self.books.in_cash(owed) if method == "cash" else owed
        drawer = self.books.drawers[till]["expected"]
        if method == "cash" and drawer < value:
            return
        payments = [{"method": method, "amount": str(value)}] if value > 0 else []
        if owed > 0 and not payments:
            return
        self.happen("take_back", number=number, till=till, lines=lines, payments=payments)

    def collect(self):
        customer = self.random.choice(SHOP["customers"])
        owed = self.books.owed_by[customer]
        if owed > 0:
            value = amount(owed * self.random.randint(3, 10) / 10)
            till, _ = self.random.choice(SHOP["tills"])
            method = self.random.choice(["cash", "card", "transfer"])
            if value > 0:
                self.happen("collect", customer=customer, amount=str(value), method=method, till=till)

    def deliver(self, step):
        if step == "order":
            lines = [
                {"sku": sku, "quantity": "60", "cost": f"{Decimal(self.books.products[sku]['price']) * 6 / 10:.6f}"}
                for sku in ("P00", "P03", "P07")
            ]
            self.happen(
                "order", number=1, supplier="Großhandel", branch="Nord", lines=lines, costs=["19.99"]
            )
        elif step == "first part":
            self.happen("receive", number=1, lines=[{"line": 0, "quantity": "60"}, {"line": 1, "quantity": "22.5"}])
        else:
            self.happen("receive", number=1, lines=[{"line": 1, "quantity": "37.5"}, {"line": 2, "quantity": "60"}])
            owed = self.books.owed_to["Großhandel"]
            self.happen("pay", supplier="Großhandel", amount=str(amount(owed / 3)), method="transfer")

    def carry(self, step):
        if step == "send":
            lines = [{"sku": "P06", "quantity": "12"}, {"sku": "P05", "quantity": "3.250"}]
            self.happen("send", number=1, **{"from": "Mitte", "to": "Śródmieście", "lines": lines})
        else:
            # One glass broke on the way.
            lines = [{"line": 0, "quantity": "11", "lost": "1"}, {"line": 1, "quantity": "3.250", "lost": "0"}]
            self.happen("arrive", number=1, lines=lines)

    def count(self):
        lines = []
        for sku, difference in (("P01", -1), ("P04", 0), ("P09", 2)):
            there = self.on_hand(sku, "Nord")
            lines.append({"sku": sku, "counted": str(max(there + difference, Decimal(0)))})
        self.happen("count", branch="Nord", lines=lines)

    def close_shop(self):
        for place, (till, _) in enumerate(SHOP["tills"]):
            difference = {1: Decimal("-2.35"), 4: Decimal("0.10")}.get(place, Decimal(0))
            self.happen("close", till=till, counted=str(self.books.drawers[till]["expected"] + difference))


def recorded(seed, sales=500, offline=0):
    """All that happens on the day of a seed, and its books."""
    day = Day(seed, sales, offline)
    day.open_shop()
    at = {int(sales * part): step for part, step in enumerate_steps(day)}
    for number in range(1, sales + 1):
        if number in at:
            at[number]()
        day.sell(number)
        if number > 20 and day.random.random() < 0.04:
            day.take_back()
        if number > 20 and day.random.random() < 0.03:
            day.collect()
    day.close_shop()
    return day.happenings, day.books


def enumerate_steps(day):
    """At which part of the day what happens beside the sales."""
    return [
        (0.05, lambda: day.deliver("order")),
        (0.10, lambda: day.deliver("first part")),
        (0.20, lambda: day.carry("send")),
        (0.30, lambda: day.happen("paid_in", till="Till 1", amount="50.00")),
        (0.40, lambda: day.carry("arrive")),
        (0.50, lambda: day.deliver("second part")),
        (0.60, lambda: day.count()),
        (0.70, lambda: day.happen("paid_out", till="Till 4", amount="12.40")),
        (0.80, lambda: day.happen("drop", till="Till 2", amount="100.00")),
    ]
