#!/usr/bin/env python3
"""Asks for every GET of a shop that has grown, and tells how long the database took for each.

    sizes.py --url http://127.0.0.1:8080 --key KEY -- psql -h ... (a command that runs SQL as the owner)

The routes are those of /openapi.json: one that needs a value that is not known here fails, so none is forgotten. Lists are asked for
their first page, the page behind it, and by each of their filters; reports by each of theirs over all days there are. Nothing comes
from a cache. Times are those of pg_stat_statements, the least of ten. The exit status is 1 if a report takes more than 10 ms or a page more than 5.
"""

import argparse
import datetime
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

# What is left out, and why.
WITHOUT = {
    "/v1/cache/stats": "tells of the cache, and asks no database",
    "/v1/cache/explain": "tells of the cache, and asks no database",
    "/v1/events/stream": "does not end",
    "/v1/exports/": "are all there is, by pages",
}

# Where the ids of a filter are found, if not in the collection of its name.
COLLECTIONS = {
    "actor": "/v1/users",
    "category_id": "/v1/categories",
    "ref_id": "/v1/sales",
    "subject": "/v1/products",
}

# Values that no schema tells.
VALUES = {
    "q": ["thing", "99967 thing", "12 34"],
    "code": ["sku-99967"],
    "barcode": ["4444444499967"],
    "number": ["77"],
    "reason": ["nobody said so"],
    "category": ["Rent 7"],
    "method": ["cash"],
    "date": ["2026-01-31"],
    "days": ["90"],
    "updated_since": ["2026-01-01T00:00:00Z"],
    "expand": ["customer,user"],
    "types": ["sale"],
    "after": ["0"],
    "wait": ["0"],
}

# What is asked for together with some days only: from and to, in days ago.
DATED = {("/v1/sales", "sort"): (330, 300)}

# What is asked for together with something else only.
TOGETHER = {("/v1/sales", "user_id"): {"status": "draft"}}

REQUESTS = 10


class Shop:
    def __init__(self, url, key, psql):
        self.url, self.key, self.psql = url, key, psql
        self.document = self.get("/openapi.json")
        self.first = {}

    def get(self, path):
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.key}", "Cache-Control": "no-cache"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def sql(self, text):
        return subprocess.run([*self.psql, "-XAtqc", text], check=True, capture_output=True, text=True).stdout.strip()

    def id_in(self, collection):
        """The id of the first row of a list; the last one made of most."""
        if collection not in self.first:
            try:
                rows = self.get(collection)["data"]
            except urllib.error.HTTPError as error:
                if error.code != 403:
                    raise
                # For a person alone.
                rows = []
            ids = [row.get("id") or row.get("product_id") for row in rows if row.get("kind") != "transit"]
            self.first[collection] = next((id for id in ids if id), None)
        return self.first[collection]

    def schema(self, schema):
        return self.document["components"]["schemas"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema

    def times(self, path):
        """The least time of the statements that each of some requests ran, in milliseconds: other work on the machine adds to it."""
        for _ in range(2):
            self.get(path)
        self.sql("SELECT pg_stat_statements_reset()")
        for _ in range(REQUESTS):
            self.get(path)
        return float(
            self.sql(
                f"""
                SELECT coalesce(sum(min_exec_time), 0) FROM pg_stat_statements
                WHERE userid = 'stock_app'::regrole AND calls >= {REQUESTS} AND query !~ 'cache_'
                """
            )
        )


def days(path, ago=None):
    """From and to: a report has all days, a list a week of the past."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    ago = ago or ((1094, 0) if is_report(path) else (300, 294))
    return dict(zip(("from", "to"), [(today - datetime.timedelta(days=count)).isoformat() for count in ago]))


def is_report(path):
    return path.startswith(("/v1/reports/", "/v1/balance/", "/v1/dashboard"))


def values(shop, path, parameter):
    """What to ask a filter for; None if that is not known."""
    name, schema = parameter["name"], shop.schema(parameter["schema"])
    if "enum" in schema:
        return schema["enum"]
    if schema.get("type") == "boolean":
        return ["true"]
    if name in VALUES:
        return VALUES[name]
    if name == "ids":
        found = shop.id_in(path)
        return [found] if found else []
    if name in COLLECTIONS or name.endswith("_id"):
        found = shop.id_in(COLLECTIONS.get(name, f"/v1/{name.removesuffix('_id')}s"))
        return [found] if found else []
    return None


def questions(shop):
    """Every path to ask for, and whether it is a page."""
    for path, methods in sorted(shop.document["paths"].items()):
        if "get" not in methods or not path.startswith("/v1/") or path.startswith(tuple(WITHOUT)):
            continue
        operation = methods["get"]
        parameters = [
            shop.document["components"]["parameters"][p["$ref"].split("/")[-1]] if "$ref" in p else p
            for p in operation.get("parameters", [])
        ]
        place = path
        if "{" in path:
            collection = path.split("/{")[0]
            id = shop.id_in(collection)
            if id is None:
                yield path, None, "there is none"
                continue
            place = path.replace("{id}", id)
        if "{" in place:
            sys.exit(f"{path}: say what stands in its place, or why it is left out (WITHOUT)")
        queries = [p for p in parameters if p["in"] == "query" and p["name"] not in ("limit", "cursor")]
        dated = {"from", "to"} <= {p["name"] for p in queries}
        always = days(path) if dated and is_report(path) else {}
        for p in queries:
            if p.get("required") and p["name"] not in always:
                known = values(shop, path, p)
                if not known:
                    sys.exit(f"{path}: say what {p['name']} is (VALUES)")
                always[p["name"]] = known[0]
        is_page = any(p["name"] == "cursor" for p in parameters)
        asked = [always]
        if dated and not is_report(path):
            asked.append(always | days(path))
        for p in queries:
            if p["name"] in ("from", "to") or p.get("required"):
                continue
            known = values(shop, path, p)
            if known is None:
                sys.exit(f"{path}: say what {p['name']} is (VALUES)")
            ago = DATED.get((path, p["name"]))
            others = always | TOGETHER.get((path, p["name"]), {}) | (days(path, ago) if ago else {})
            asked += [others | {p["name"]: value} for value in known]
        for query in asked:
            yield path, place + ("?" + urllib.parse.urlencode(query) if query else ""), is_page


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url", required=True)
    options.add_argument("--key", required=True)
    options.add_argument("psql", nargs="+")
    options = options.parse_args()
    shop = Shop(options.url, options.key, options.psql)
    over = 0
    forbidden = set()

    def tell(path, asked, goal):
        nonlocal over
        if path in forbidden:
            return
        try:
            taken = shop.times(asked)
        except urllib.error.HTTPError as error:
            if error.code != 403:
                sys.exit(f"{asked}: {error.code} {error.read().decode()}")
            forbidden.add(path)
            print(f"  {path:<90}    not asked: it is for a person, not for a key")
            return
        over += taken > goal
        # Ids say nothing to who reads it.
        shown = asked if len(asked) < 90 else asked[:87] + "..."
        print(f"  {shown:<90} {taken:7.2f} ms of {goal}{'   OVER' if taken > goal else ''}", flush=True)

    for path, asked, is_page in questions(shop):
        if asked is None:
            print(f"  {path:<90}    not asked: {is_page}")
            continue
        goal = 10 if is_report(path) and not is_page else 5
        tell(path, asked, goal)
        if is_page and path not in forbidden:
            mark = "&" if "?" in asked else "?"
            cursor = shop.get(asked)["next_cursor"]
            if cursor:
                tell(path, f"{asked}{mark}cursor={cursor}", goal)
    for path, reason in sorted(WITHOUT.items()):
        print(f"  {path:<90}    left out: {reason}")
    print(f"  {over or 'none'} over")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
