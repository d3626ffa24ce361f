"""The cached series by FastAPI, asyncpg and redis: uvicorn fastapi_app:app"""

from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Literal

import asyncpg
import jwt
import redis.asyncio as redis
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import series


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.redis = redis.from_url(series.REDIS_URL)
    async with asyncpg.create_pool(series.DATABASE_URL, min_size=1, max_size=5) as pool:
        app.state.postgres = pool
        yield
    await app.state.redis.aclose()


app = FastAPI(lifespan=lifespan)


async def tenant(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> int:
    try:
        return series.tenant_of(credentials.credentials)
    except jwt.InvalidTokenError:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


@app.get("/v1/balance/series")
async def read_series(
    tenant: Annotated[int, Depends(tenant)],
    view: Literal["daily"],
    first: Annotated[date, Query(alias="from")],
    last: Annotated[date, Query(alias="to")],
) -> Response:
    question = series.Question(tenant, first, last)
    body = await app.state.redis.get(question.key)
    if body is None:
        body = await compute(question)
        await app.state.redis.set(question.key, body, ex=series.TTL)
    return Response(body, media_type="application/json")


async def compute(question: series.Question) -> bytes:
    async with app.state.postgres.acquire() as connection, connection.transaction():
        await connection.execute(series.SCOPE.format("$1"), str(question.tenant))
        settings = await connection.fetchrow(series.SETTINGS)
        rows = await connection.fetch(series.DAYS.format("$1", "$2"), question.first, question.last)
    return question.answer(*settings, {day: (income, expense) for day, income, expense in rows})
