"""What a day comes to, computed from what happened: decimals, one rule after the other, as docs/numbers.md says them.

It shares nothing with the server but that page.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
MILLIONTH = Decimal("0.000001")
TRANSIT = "on the way"


def amount(value):
    """Rounded to cents, half away from zero."""
    return value.quantize(CENT, ROUND_HALF_UP)


def spread(whole, weights):
    """Shares of a whole in cents, in proportion to weights: the largest remainders first, ties to the earlier one."""
    if whole == 0:
        return [Decimal(0) for _ in weights]
    exact = [whole * weight / sum(weights) for weight in weights]
    shares = [value.quantize(CENT, ROUND_FLOOR) for value in exact]
    places = sorted(range(len(weights)), key=lambda place: (shares[place] - exact[place], place))
    for place in places[: int((whole - sum(shares)) / CENT)]:
        shares[place] += CENT
    return shares


class Books:
    """Stock, cost, money, drawers, debts and taxes of one shop."""

    def __init__(self, shop):
        self.step = Decimal(shop["cash_rounding"])
        self.branch_of = dict(shop["tills"])
        self.products = {product["sku"]: dict(product, cost=Decimal(0), on_hand={}) for product in shop["products"]}
        self.drawers = {}
        self.sales = {}
        self.purchases = {}
        self.transfers = {}
        self.owed_by = {name: Decimal(0) for name in shop["customers"]}
        self.owed_to = {name: Decimal(0) for name in shop["suppliers"]}
        self.ledger = {}
        self.through_tills = {}
        self.taxes = {}
        self.returned = Decimal(0)

    def apply(self, happening):
        """Enters one happening."""
        getattr(self, happening["what"])(happening)

    # What all of them share

    def in_cash(self, rest):
        """What cash comes to, as it is counted in steps."""
        return (rest / self.step).quantize(Decimal(1), ROUND_HALF_UP) * self.step if self.step else rest

    def move(self, sku, place, quantity, spent=None):
        """Moves goods; what was bought, or comes back at what it left with, moves the average."""
        product = self.products[sku]
        if spent is not None:
            before = sum(product["on_hand"].values())
            worth = before * product["cost"] + spent if before > 0 else spent
            pieces = before + quantity if before > 0 else quantity
            product["cost"] = (worth / pieces).quantize(MILLIONTH, ROUND_HALF_UP)
        product["on_hand"][place] = product["on_hand"].get(place, Decimal(0)) + quantity

    def post(self, direction, method, value, till=None):
        """Writes money into the ledger, and into the drawer of a till."""
        key = (method, direction)
        self.ledger[key] = self.ledger.get(key, Decimal(0)) + value
        if till is not None:
            key = (self.branch_of[till], method, direction)
            self.through_tills[key] = self.through_tills.get(key, Decimal(0)) + value
            if method == "cash":
                self.drawers[till]["expected"] += value if direction == "income" else -value

    # Tills

    def open(self, happening):
        self.drawers[happening["till"]] = {"expected": Decimal(happening["float"])}

    def paid_in(self, happening):
        self.post("income", "cash", Decimal(happening["amount"]), happening["till"])

    def paid_out(self, happening):
        self.post("expense", "cash", Decimal(happening["amount"]), happening["till"])

    def drop(self, happening):
        self.drawers[happening["till"]]["expected"] -= Decimal(happening["amount"])

    def close(self, happening):
        drawer = self.drawers[happening["till"]]
        drawer["difference"] = Decimal(happening["counted"]) - drawer["expected"]
        if drawer["difference"]:
            # Beside the session: what was expected stays what it was.
            direction = "income" if drawer["difference"] > 0 else "expense"
            self.post(direction, "cash", abs(drawer["difference"]))

    # Sales

    def priced(self, sale):
        """The lines of a sale with what each comes to, and the total."""
        left = []
        for line in sale["lines"]:
            gross = amount(Decimal(line["quantity"]) * Decimal(self.products[line["sku"]]["price"]))
            left.append(gross - Decimal(line["discount"]))
        shares = spread(Decimal(sale["discount"]), left)
        lines = []
        for line, rest, share in zip(sale["lines"], left, shares):
            rate = Decimal(self.products[line["sku"]]["tax_rate"])
            total = rest - share
            lines.append(
                {
                    "sku": line["sku"],
                    "quantity": Decimal(line["quantity"]),
                    "total": total,
                    "rate": rate,
                    "tax": total - amount(total / (1 + rate / 100)),
                    "returned": Decimal(0),
                }
            )
        return lines, sum(line["total"] for line in lines)

    def rounding(self, total, payments):
        """By how much cash is rounded, if it is paid with cash to the last coin."""
        other = sum(Decimal(payment["amount"]) for payment in payments if payment["method"] != "cash")
        paid = sum(Decimal(payment["amount"]) for payment in payments)
        if any(payment["method"] == "cash" for payment in payments) and paid == other + self.in_cash(total - other):
            return paid - total
        return Decimal(0)

    def sale(self, happening):
        branch = self.branch_of[happening["till"]]
        lines, total = self.priced(happening)
        for line in lines:
            self.move(line["sku"], branch, -line["quantity"])
            line["cost"] = self.products[line["sku"]]["cost"]
            base, tax = self.taxes.get(line["rate"], (Decimal(0), Decimal(0)))
            self.taxes[line["rate"]] = (base + line["total"] - line["tax"], tax + line["tax"])
        rounding = self.rounding(total, happening["payments"])
        paid = sum(Decimal(payment["amount"]) for payment in happening["payments"])
        for payment in happening["payments"]:
            value = Decimal(payment["amount"]) + Decimal(payment["tip"])
            self.post("income", payment["method"], value, happening["till"])
        sale = {"lines": lines, "rounding": rounding, "due": total + rounding - paid, "customer": happening["customer"]}
        if sale["due"]:
            self.owed_by[sale["customer"]] += sale["due"]
        self.sales[happening["number"]] = sale

    def worth(self, number, place, quantity):
        """What a part of a sold line is worth, so that parts add up to the whole."""
        line = self.sales[number]["lines"][place]
        until = [amount(line["total"] * part / line["quantity"]) for part in (line["returned"], line["returned"] + quantity)]
        return until[1] - until[0]

    def refund(self, number, lines):
        """What comes back is worth, what of it is given back, and what that is with the sale's rounding."""
        sale = self.sales[number]
        total = sum(self.worth(number, line["line"], Decimal(line["quantity"])) for line in lines)
        refund = max(Decimal(0), total - sale["due"])
        return total, refund, max(Decimal(0), refund + sale["rounding"]) if refund else Decimal(0)

    def take_back(self, happening):
        sale = self.sales[happening["number"]]
        total, refund, _ = self.refund(happening["number"], happening["lines"])
        for line in happening["lines"]:
            sold, quantity = sale["lines"][line["line"]], Decimal(line["quantity"])
            sold["returned"] += quantity
            if line["restock"]:
                self.move(sold["sku"], self.branch_of[happening["till"]], quantity, quantity * sold["cost"])
        paid = Decimal(0)
        for payment in happening["payments"]:
            paid += Decimal(payment["amount"])
            self.post("expense", payment["method"], Decimal(payment["amount"]), happening["till"])
        fallen = min(sale["due"], total)
        sale["rounding"] -= paid - refund
        sale["due"] -= fallen
        if sale["customer"]:
            self.owed_by[sale["customer"]] -= fallen
        self.returned += total

    def collect(self, happening):
        left = Decimal(happening["amount"])
        self.owed_by[happening["customer"]] -= left
        for sale in self.sales.values():
            if sale["customer"] == happening["customer"]:
                share = min(left, sale["due"])
                sale["due"] -= share
                left -= share
        self.post("income", happening["method"], Decimal(happening["amount"]), happening["till"])

    # Goods

    def opening(self, happening):
        quantity = Decimal(happening["quantity"])
        self.move(happening["sku"], happening["branch"], quantity, quantity * Decimal(happening["cost"]))

    def order(self, happening):
        totals = [amount(Decimal(line["quantity"]) * Decimal(line["cost"])) for line in happening["lines"]]
        extra = sum(Decimal(value) for value in happening["costs"])
        lines = []
        for line, share in zip(happening["lines"], spread(extra, totals)):
            quantity = Decimal(line["quantity"])
            landed = (Decimal(line["cost"]) + share / quantity).quantize(MILLIONTH, ROUND_HALF_UP)
            lines.append({"sku": line["sku"], "landed": landed})
        self.purchases[happening["number"]] = {"branch": happening["branch"], "lines": lines}
        self.owed_to[happening["supplier"]] += sum(totals) + extra

    def receive(self, happening):
        purchase = self.purchases[happening["number"]]
        for line in happening["lines"]:
            ordered, quantity = purchase["lines"][line["line"]], Decimal(line["quantity"])
            self.move(ordered["sku"], purchase["branch"], quantity, quantity * ordered["landed"])

    def pay(self, happening):
        self.owed_to[happening["supplier"]] -= Decimal(happening["amount"])
        self.post("expense", happening["method"], Decimal(happening["amount"]))

    def send(self, happening):
        self.transfers[happening["number"]] = happening
        for line in happening["lines"]:
            self.move(line["sku"], happening["from"], -Decimal(line["quantity"]))
            self.move(line["sku"], TRANSIT, Decimal(line["quantity"]))

    def arrive(self, happening):
        transfer = self.transfers[happening["number"]]
        for line in happening["lines"]:
            sku, came, lost = transfer["lines"][line["line"]]["sku"], Decimal(line["quantity"]), Decimal(line["lost"])
            self.move(sku, TRANSIT, -came - lost)
            self.move(sku, transfer["to"], came)

    def count(self, happening):
        for line in happening["lines"]:
            there = self.products[line["sku"]]["on_hand"][happening["branch"]]
            self.move(line["sku"], happening["branch"], Decimal(line["counted"]) - there)

    # What it comes to

    def figures(self):
        """Every figure by its name."""
        figures = {}
        for till, drawer in self.drawers.items():
            figures[f"{till}: expected"] = drawer["expected"]
            figures[f"{till}: difference"] = drawer["difference"]
        for (method, direction), value in self.ledger.items():
            figures[f"{direction} by {method}"] = value
        for (branch, method, direction), value in self.through_tills.items():
            figures[f"{direction} by {method} at the tills of {branch}"] = value
        worth = Decimal(0)
        for sku, product in self.products.items():
            for place, quantity in product["on_hand"].items():
                if place != TRANSIT:
                    figures[f"{sku} at {place}"] = quantity
            figures[f"{sku}: cost"] = product["cost"]
            worth += sum(product["on_hand"].values()) * product["cost"]
        figures["what the stock is worth"] = amount(worth)
        for name, value in self.owed_by.items():
            figures[f"{name} owes"] = value
        for name, value in self.owed_to.items():
            figures[f"owed to {name}"] = value
        for rate, (base, tax) in self.taxes.items():
            figures[f"sold at {rate.normalize():f} % tax"] = base
            figures[f"tax at {rate.normalize():f} %"] = tax
        figures["returned"] = self.returned
        return figures
