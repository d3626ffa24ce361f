"""Works a shop by a client that was generated of the OpenAPI document: log in, make a product, count it, sell it, read the balance.

Usage: client.py BASE, with the owner's password in PASSWORD and the generated package stock_client in the path.
"""
import datetime
import os
import sys
import time

from stock_client import AuthenticatedClient, Client
from stock_client.api.balance import read_balance_series
from stock_client.api.catalog import change_product, create_product, read_product
from stock_client.api.identity import log_in
from stock_client.api.sales import confirm_sale, read_sale
from stock_client.api.stock import move_stock
from stock_client.models import (
    BalanceSeries,
    LoginRequest,
    MovementRequest,
    MovementRequestType,
    MovementsRequest,
    Problem,
    Product,
    ProductPatch,
    ProductRequest,
    ReadBalanceSeriesView,
    Sale,
    SaleLineRequest,
    SaleRequest,
    TenderRequest,
    Tokens,
)

base = sys.argv[1]


def ask(operation, *arguments, **named):
    """The answer of somebody who has time for it, as a client waits for it: "overloaded" says that nothing was changed."""
    for _ in range(20):
        answer = operation(*arguments, **named)
        if not isinstance(answer, Problem) or answer.code != "overloaded":
            break
        time.sleep(1)
    return answer


def expect(answer, kind):
    """The answer, if the generated code read it as what the document says it is."""
    if not isinstance(answer, kind):
        raise SystemExit(f"client.py: {kind.__name__} was to be answered, not {answer}: the service and its document disagree")
    return answer


nobody = Client(base_url=base, raise_on_unexpected_status=True)
login = LoginRequest(email="other@example.com", password=os.environ["PASSWORD"])
tokens = expect(ask(log_in.sync, client=nobody, body=login), Tokens)
owner = AuthenticatedClient(base_url=base, token=tokens.access_token, raise_on_unexpected_status=True)

product = expect(ask(create_product.sync, client=owner, body=ProductRequest(name="Cup", sku="C-1", price="2.50")), Product)
line = SaleLineRequest(product_id=product.id, quantity="2")
cash = TenderRequest(method="cash", amount="5.00", tendered="10.00")
cart = SaleRequest(lines=[line], payments=[cash])

# There is none yet, and what is refused is read as well.
refused = expect(ask(confirm_sale.sync, client=owner, body=cart, idempotency_key="too-early"), Problem)
if refused.code != "insufficient_stock" or refused.errors[0].available != "0":
    raise SystemExit(f"client.py: another refusal: {refused}")

opening = MovementRequest(type_=MovementRequestType.OPENING, quantity="10", reason="First count", product_id=product.id)
counted = ask(move_stock.sync, client=owner, body=MovementsRequest(movements=[opening]), idempotency_key="opening")
if counted.data[0].on_hand_after != "10":
    raise SystemExit(f"client.py: {counted}")

sale = expect(ask(confirm_sale.sync, client=owner, body=cart, idempotency_key="sale"), Sale)
again = expect(ask(confirm_sale.sync, client=owner, body=cart, idempotency_key="sale"), Sale)
if (again.id, sale.total, sale.change) != (sale.id, "5.00", "5.00") or expect(ask(read_sale.sync, sale.id, client=owner), Sale) != sale:
    raise SystemExit(f"client.py: {sale}, then {again}")

# The tag of what was read goes with its change.
read = read_product.sync_detailed(product.id, client=owner)
changed = ask(change_product.sync, product.id, client=owner, body=ProductPatch(price="3.00"), if_match=read.headers["ETag"])
if expect(changed, Product).price != "3.00":
    raise SystemExit(f"client.py: {changed}")

today = sale.business_day
series = ask(read_balance_series.sync, client=owner, view=ReadBalanceSeriesView.DAILY, from_=today - datetime.timedelta(days=6), to=today)
figures = [period.income for period in expect(series, BalanceSeries).data]
if figures != ["0.00"] * 6 + ["5.00"]:
    raise SystemExit(f"client.py: the week is {figures}")
