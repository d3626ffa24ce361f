"""What both rivals share: who asks, what is asked, and how an answer is made of PostgreSQL's rows.

The service's environment is theirs: AUTH_SECRET, DATABASE_URL, REDIS_URL.
"""

import json
import os
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import jwt

DATABASE_URL = os.environ["DATABASE_URL"]
REDIS_URL = os.environ["REDIS_URL"]
# Seconds an answer lives, as the service's own.
TTL = int(os.environ.get("CACHE_BALANCE_TTL", "60"))
_SECRET = os.environ["AUTH_SECRET"]


def tenant_of(token: str) -> int:
    """The tenant a bearer token is good for: signature, issuer, audience and time are checked, as the service does.

    Raises jwt.InvalidTokenError.
    """
    claims = jwt.decode(
        token,
        _SECRET,
        algorithms=["HS256"],
        issuer="stock",
        audience="stock-api",
        leeway=30,
        options={"require": ["exp", "nbf", "sub", "sid", "tid"]},
    )
    return claims["tid"]


@dataclass(frozen=True)
class Question:
    """The series of one tenant's days, both included."""

    tenant: int
    first: date
    last: date

    @property
    def key(self) -> str:
        return f"rival:{self.tenant}:series:daily:{self.first}:{self.last}"

    def answer(self, timezone: str, currency: str, days: dict[date, tuple[Decimal, Decimal]]) -> bytes:
        """The body, byte for byte as the service writes it."""
        rows = []
        for number in range((self.last - self.first).days + 1):
            day = self.first + timedelta(days=number)
            income, expense = days.get(day, (Decimal(0), Decimal(0)))
            rows.append({"period": str(day), "income": f"{income:.2f}", "expense": f"{expense:.2f}", "net": f"{income - expense:.2f}"})
        head = {"view": "daily", "method": "all", "location_id": None, "register_id": None, "from": str(self.first), "to": str(self.last)}
        head |= {"timezone": timezone, "currency": currency}
        # PostgreSQL puts a blank between the members of an array, and none within an object.
        return (_json(head)[:-1] + ',"data":[' + ", ".join(map(_json, rows)) + "]}").encode()


def _json(value: dict) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# The parameters are spelled as either driver has them.
SCOPE = "SELECT set_config('stock.tenant_id', {}, true)"
SETTINGS = "SELECT timezone, currency FROM stock.tenant WHERE id = stock.current_tenant()"
DAYS = """
    SELECT business_day, sum(income), sum(expense) FROM stock.balance_day
    WHERE tenant_id = stock.current_tenant() AND business_day BETWEEN {} AND {} GROUP BY business_day
"""
