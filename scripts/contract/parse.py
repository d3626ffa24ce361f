"""Reads real answers with models that were made of the OpenAPI document; prints the owner's token and a key of all scopes.

Usage: parse.py BASE, with the owner's password in PASSWORD and models.py in the path.
"""
import json
import os
import sys
import time
import urllib.error
import urllib.request

import models

base = sys.argv[1]
token = None


def send(method, path, body=None, **fields):
    request = urllib.request.Request(base + path, method=method)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    for name, value in fields.items():
        request.add_header(name.replace("_", "-"), value)
    data = None
    if body is not None:
        request.add_header("Content-Type", "application/json")
        data = json.dumps(body).encode()
    for _ in range(60):
        try:
            with urllib.request.urlopen(request, data=data, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as refused:
            # As any client: what is too busy now is asked again after a while.
            if refused.code != 503:
                raise SystemExit(f"{method} {path}: {refused.code} {refused.read().decode()}")
            time.sleep(int(refused.headers["Retry-After"]))
    raise SystemExit(f"{method} {path}: too busy for a minute")


def read(model, text):
    # Strictly: a member that the model does not have is refused, as the document says.
    return model.model_validate_json(text)


# A name of the document is the name of its model, whatever else the tool had to name.
document = json.loads(send("GET", "/openapi.json"))
for name, schema in document["components"]["schemas"].items():
    if "properties" not in schema:
        continue
    model = getattr(models, name)
    if not hasattr(model, "model_fields"):
        raise SystemExit(f"{name} became {model}")
    fields = model.model_fields
    names = {field.alias or name for name, field in fields.items()}
    if names != set(schema["properties"]):
        raise SystemExit(f"{name} became another model: {sorted(names)}")

login = {"email": "shop@example.com", "password": os.environ["PASSWORD"]}
token = read(models.Tokens, send("POST", "/v1/auth/login", login)).access_token
read(models.Me, send("GET", "/v1/me"))
product = read(models.Product, send("POST", "/v1/products", {"name": "Tee", "sku": "T-1", "price": "2.50"}))
read(models.Product, send("GET", f"/v1/products/{product.id}"))
opening = {"sku": "T-1", "type": "opening", "quantity": "1000000", "reason": "first count"}
send("POST", "/v1/stock/movements", {"movements": [opening]}, Idempotency_Key="opening")
customer = read(models.Customer, send("POST", "/v1/customers", {"name": "Berta"}))
sale = read(
    models.Sale,
    send(
        "POST",
        "/v1/sales",
        {
            "customer_id": str(customer.id),
            "lines": [{"product_id": str(product.id), "quantity": "2"}],
            "payments": [{"method": "cash", "amount": "2.00", "tendered": "5.00"}],
        },
        Idempotency_Key="sale",
    ),
)
payment = {"direction": "in", "method": "card", "amount": "3.00", "sale_id": str(sale.id)}
payment = read(models.Payment, send("POST", "/v1/payments", payment, Idempotency_Key="payment"))
read(models.Payment, send("GET", f"/v1/payments/{payment.id}"))
read(models.Sale, send("GET", f"/v1/sales/{sale.id}"))
read(models.Dashboard, send("GET", "/v1/dashboard"))
read(models.BalanceSummary, send("GET", "/v1/balance/summary"))
read(models.BalanceSeries, send("GET", "/v1/balance/series?view=weekly"))

scopes = document["components"]["schemas"]["APIKeyRequest"]["properties"]["scopes"]["items"]["enum"]
key = read(models.NewAPIKey, send("POST", "/v1/api-keys", {"name": "all", "scopes": scopes}))
print(token)
print(key.secret)
