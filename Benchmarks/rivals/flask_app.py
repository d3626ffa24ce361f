"""The cached series by Flask, psycopg and redis: gunicorn flask_app:app"""

from datetime import date

import jwt
import redis
from flask import Flask, Response, abort, request
from psycopg_pool import ConnectionPool

import series

app = Flask(__name__)
cache = redis.from_url(series.REDIS_URL)
postgres = ConnectionPool(series.DATABASE_URL, min_size=1, max_size=5, open=True)


@app.get("/v1/balance/series")
def read_series() -> Response:
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer" or authorization.token is None:
        abort(401)
    try:
        tenant = series.tenant_of(authorization.token)
    except jwt.InvalidTokenError:
        abort(401)
    if request.args.get("view") != "daily":
        abort(400)
    try:
        first, last = (date.fromisoformat(request.args[name]) for name in ("from", "to"))
    except ValueError:
        abort(400)
    question = series.Question(tenant, first, last)
    body = cache.get(question.key)
    if body is None:
        body = compute(question)
        cache.set(question.key, body, ex=series.TTL)
    return Response(body, mimetype="application/json")


def compute(question: series.Question) -> bytes:
    with postgres.connection() as connection:
        connection.execute(series.SCOPE.format("%s"), [str(question.tenant)])
        settings = connection.execute(series.SETTINGS).fetchone()
        rows = connection.execute(series.DAYS.format("%s", "%s"), [question.first, question.last])
        return question.answer(*settings, {day: (income, expense) for day, income, expense in rows})
