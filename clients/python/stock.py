"""A client of Stock for scripts: one file, Python 3.9 or later, nothing but its standard library.

    from stock import Stock

    shop = Stock(["https://a.example", "https://b.example"], key="sk_...")
    tea = shop.post("/v1/products", {"sku": "TEA", "name": "Tea", "price": "4.20"})
    sale = shop.post("/v1/sales", {"lines": [{"product_id": tea["id"], "quantity": "2"}],
                                   "payments": [{"method": "card", "amount": "8.40"}]})
    for product in shop.list("/v1/products", q="tea"):
        print(product["sku"], product["on_hand"])
    for event in shop.events(after=last_seen):
        print(event["seq"], event["type"])

What it takes care of, as docs/guide.md asks of every client:

- Each POST has an Idempotency-Key, the same one with every try: what is sent again is done once.
- What was lost on its way, or answered with "not now", is sent again, to the next instance, with growing pauses by chance.
- What was written is seen: the last Stock-Consistency of a thread goes with its next request, whichever instance answers.
- An access token that has run out is renewed, once for all threads, and the request sent again.
- What was read before and has not changed is not sent again (ETag, 304).
- The stream of events goes on where it ended, at another instance, without one missing or twice.

Amounts are strings, as the API has them: use decimal.Decimal, never float. One Stock may be used by many threads.
"""

import base64
import collections
import hashlib
import http.client
import json
import random
import ssl
import threading
import time
import urllib.parse
import uuid

__all__ = ["Answer", "EventsPruned", "Problem", "Stock", "Unreachable"]


class Problem(Exception):
    """What the service refused, as it says it (RFC 9457): go by ``code``, show ``detail``, mark fields by ``errors``."""

    def __init__(self, status, document):
        self.status = status
        self.document = document
        self.code = document.get("code", "")
        self.detail = document.get("detail", "")
        self.errors = document.get("errors") or []
        self.request_id = document.get("request_id")
        fields = "".join(f"; {e.get('pointer', '')}: {e.get('detail', '')}" for e in self.errors)
        super().__init__(f"{status} {self.code}: {self.detail}{fields}")


class EventsPruned(Exception):
    """The events after the number that was asked for are not kept any more: read anew what is mirrored, and go on ``after``."""

    def __init__(self, after):
        self.after = after
        super().__init__(f"events are kept only after {after}")


class Unreachable(Exception):
    """No instance answered in time. Whether a request without a key was done is not known."""


class Answer(dict):
    """The members of an answer, with its status, ETag and header fields."""

    def __init__(self, status, headers, body):
        super().__init__(body if isinstance(body, dict) else {})
        self.status = status
        self.headers = headers
        self.etag = headers.get("etag")
        #: What was answered if it is no JSON object: bytes.
        self.content = body if isinstance(body, bytes) else b""


class Stock:
    """A shop, as one of its people or by one of its API keys.

    :param url: The address of the service, or of several instances of it.
    :param key: An API key; without it, call :meth:`log_in`.
    :param timeout: Seconds that one try may take.
    :param patience: Seconds after which a request is given up, with all its tries.
    :param context: Whom to trust with HTTPS; the system's authorities if left out.
    """

    #: Answers that say "not now": nothing was done, or it is found done with the same key.
    _AGAIN = {"idempotency_in_progress", "overloaded", "draining", "database_unavailable", "outcome_unknown", "rate_limited",
              "request_timeout", "internal_error"}
    #: Of these one more try is worth it, not more.
    _ONCE = {"request_timeout", "internal_error"}

    def __init__(self, url, key=None, timeout=30, patience=120, context=None):
        self._urls = [url] if isinstance(url, str) else list(url)
        if not self._urls:
            raise ValueError("there must be an address")
        self._token = key
        self._refresh = None
        self._timeout = timeout
        self._patience = patience
        self._context = context or ssl.create_default_context()
        self._local = threading.local()
        self._known = collections.OrderedDict()
        self._first = random.randrange(len(self._urls))
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._idle = []

    def close(self):
        """Closes the connections that are kept; needed only where the object goes before the script does."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Who asks

    def log_in(self, email, password, tenant=None):
        """Logs a person in; the session is renewed as long as this object is used.

        :param tenant: The slug of a tenant, for somebody who belongs to several.
        :return: The answer, with the user and the tenant.
        """
        body = {"email": email, "password": password}
        if tenant is not None:
            body["tenant"] = tenant
        answer = self.request("POST", "/v1/auth/login", body, authenticated=False)
        # Another person's, or another tenant's: their answers may have the same tags.
        self._known = collections.OrderedDict()
        self.seen = self._told = None
        self._take(answer)
        return answer

    @property
    def seen(self):
        """What this thread has written and seen: set in another thread, nothing older is answered there."""
        return getattr(self._local, "seen", None)

    @seen.setter
    def seen(self, token):
        # Of each thread its own: of two that write at once, the later answer knows nothing of the other one's.
        self._local.seen = token

    @property
    def _told(self):
        """What a stream of this thread has told last: beside what was seen, as neither of the two knows the other."""
        return getattr(self._local, "told", None)

    @_told.setter
    def _told(self, token):
        self._local.told = token

    def _take(self, answer):
        with self._lock:
            self._token, self._refresh = answer["access_token"], answer["refresh_token"]

    def _renew(self, token):
        """Gets a new access token in place of one that has run out; false if there is no session to do it by."""
        with self._renewing:
            with self._lock:
                if self._token != token:
                    return True  # another thread was faster
                refresh = self._refresh
            if refresh is None:
                return False
            try:
                self._take(self.request("POST", "/v1/auth/refresh", {"refresh_token": refresh}, authenticated=False))
            except Problem:
                return False
            return True

    # What is asked

    def get(self, path, **query):
        """Reads something; what has not changed since it was read last comes from memory, once the service has said so."""
        return self.request("GET", path, query=query)

    def post(self, path, body=None, key=None, **query):
        """Does something once. A ``key`` of your own, kept with the intention, makes that hold for a later run of the script, too."""
        return self.request("POST", path, body, key=key or str(uuid.uuid4()), query=query)

    def put(self, path, body=None, **query):
        """Puts something in its place."""
        return self.request("PUT", path, body, query=query)

    def patch(self, path, body, etag):
        """Changes what has this ETag: :class:`Problem` 412 ``version_mismatch`` if somebody was faster; ``"*"`` whatever it is."""
        return self.request("PATCH", path, body, headers={"If-Match": etag})

    def delete(self, path, etag=None):
        """Removes something."""
        return self.request("DELETE", path, headers={"If-Match": etag} if etag else None)

    def list(self, path, limit=200, **query):
        """The members of a list, page after page."""
        query["limit"] = limit
        while True:
            page = self.get(path, **query)
            yield from page["data"]
            if page.get("next_cursor") is None:
                return
            query["cursor"] = page["next_cursor"]

    def request(self, method, path, body=None, key=None, headers=None, query=None, authenticated=True):
        """Sends a request until it is answered.

        :param body: What JSON is made of, or bytes.
        :param key: The Idempotency-Key.
        :return: An :class:`Answer`.
        :raises Problem: What the service refuses.
        :raises Unreachable: When no instance has answered in time.
        """
        target = path + self._encoded(path, query)
        fields = {"Accept-Encoding": "identity", **(headers or {})}
        if isinstance(body, bytes):
            fields["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
            fields.setdefault("Content-Type", "application/octet-stream")
        elif body is not None:
            body = json.dumps(body, ensure_ascii=False).encode()
            fields["Content-Type"] = "application/json"
        if key is not None:
            fields["Idempotency-Key"] = key
        memory = self._known
        known = memory.get(target) if method == "GET" else None
        if known is not None:
            fields["If-None-Match"] = known.etag

        deadline = time.monotonic() + self._patience
        tries, renewed, once = 0, False, False
        while True:
            token = self._token if authenticated else None
            if token is not None:
                fields["Authorization"] = f"Bearer {token}"
            told = self._told
            if authenticated and (self.seen is not None or told):
                fields["Stock-Consistency"] = ",".join(token for token in (self.seen, told) if token)
            if method == "GET" and time.monotonic() < getattr(self._local, "unsure", 0):
                fields["Cache-Control"] = "no-cache"
            try:
                status, answered, data = self._exchange(method, target, body, fields)
            except (OSError, http.client.HTTPException) as fault:
                with self._lock:
                    self._first += 1
                wait, reason = None, str(fault) or type(fault).__name__
                # It may have come through. Once more by If-Match shows that, as a 412; without that and without a key it is done twice.
                if authenticated and not self._is_repeatable(method, fields):
                    raise Unreachable(f"{method} {path}: {reason}") from fault
            else:
                if answered.get("stock-consistency"):
                    # A session's knows nothing of what was seen before it; any other one has all that came with the request.
                    before = [] if authenticated or not self.seen else [self.seen]
                    self.seen = ",".join([*before, answered["stock-consistency"]])
                    if authenticated and self._told == told:
                        self._told = None
                if status == 304 and known is not None:
                    return known
                if status < 400:
                    return self._keep(memory, method, target, Answer(status, answered, self._read(answered, data)))
                problem = Problem(status, self._document(answered, data))
                if status == 401 and authenticated and not renewed:
                    renewed = self._renew(token)
                    if renewed:
                        continue
                if problem.code not in self._AGAIN or (once and problem.code in self._ONCE):
                    raise problem
                once = once or problem.code in self._ONCE
                if problem.code == "draining":
                    with self._lock:
                        self._first += 1
                wait, reason = answered.get("retry-after"), problem
            tries += 1
            pause = self._pause(tries, wait)
            if time.monotonic() + pause > deadline:
                if isinstance(reason, Problem):
                    raise reason
                raise Unreachable(f"{method} {path}: {reason}")
            time.sleep(pause)

    @staticmethod
    def _pause(tries, wait):
        """As long as was asked for, or twice as long with each try, and some chance in it: not all come back at once."""
        least = float(wait) if wait and wait.isdigit() else 0.05 * 2 ** min(tries, 8)
        return least * random.uniform(1, 1.5)

    @staticmethod
    def _encoded(path, query):
        given = {name: value for name, value in (query or {}).items() if value is not None}
        for name, value in given.items():
            if isinstance(value, bool):
                given[name] = "true" if value else "false"
            elif isinstance(value, (list, tuple)):
                given[name] = ",".join(str(part) for part in value)
        if not given:
            return ""
        return ("&" if "?" in path else "?") + urllib.parse.urlencode(given)

    @staticmethod
    def _read(fields, data):
        return json.loads(data) if data and "json" in fields.get("content-type", "") else data

    @staticmethod
    def _document(fields, data):
        try:
            document = json.loads(data) if "json" in fields.get("content-type", "") else {}
        except ValueError:
            document = {}
        return document if isinstance(document, dict) else {}

    def _keep(self, memory, method, target, answer):
        """Remembers what can be asked for again by its ETag; some hundred answers, the oldest goes."""
        if method == "GET" and answer.etag and answer.status == 200:
            with self._lock:
                memory[target] = answer
                memory.move_to_end(target)
                if len(memory) > 256:
                    memory.popitem(last=False)
        return answer

    # How it is sent

    def _address(self):
        return urllib.parse.urlsplit(self._urls[self._first % len(self._urls)])

    def _connect(self, address, timeout):
        if address.scheme == "https":
            return http.client.HTTPSConnection(address.hostname, address.port, timeout=timeout, context=self._context)
        return http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)

    def _kept(self, address):
        """A connection to an instance that nobody uses now; those to others are not needed any more."""
        with self._lock:
            ours = [connection for kept, connection in self._idle if kept == address]
            others = [connection for kept, connection in self._idle if kept != address]
            self._idle = [(address, connection) for connection in ours[1:]]
        for connection in others:
            connection.close()
        return ours[0] if ours else None

    def _exchange(self, method, target, body, fields):
        """One try, on a connection that was kept if there is one."""
        address = self._address()
        kept = self._kept(address)
        if kept is not None:
            try:
                return self._ask(address, kept, method, target, body, fields)
            except (ConnectionError, http.client.HTTPException):
                # One that was closed while nothing was asked says nothing of the instance.
                if not self._is_repeatable(method, fields):
                    raise
        return self._ask(address, self._connect(address, self._timeout), method, target, body, fields)

    def _ask(self, address, connection, method, target, body, fields):
        try:
            connection.request(method, address.path.rstrip("/") + target, body, fields)
            answer = connection.getresponse()
            data = answer.read()
            # A head that was cut off is taken for a whole one; of what is answered only these are empty.
            if not data and answer.status not in (204, 304):
                raise http.client.IncompleteRead(data)
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append((address, connection))
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data

    @staticmethod
    def _is_repeatable(method, fields):
        return method in ("GET", "PUT") or "Idempotency-Key" in fields or "If-Match" in fields

    # What happens

    def events(self, after=None, types=None, changes=False):
        """What happens in the shop, as it happens; without an end.

        :param after: The number of the last event that was worked on; from now on if left out.
        :param types: Topics or types, as ``["sale", "stock.low"]``; all if left out.
        :param changes: Whether retired modules are told as well: ``{"type": "change", "modules": [...]}``, after which a read of this thread
            shows what is new. ``modules`` is None where the stream was lost between: any may be.
        :return: An iterator of events; keep the ``seq`` of the last one with what was made of it.
        :raises EventsPruned: When events between are not kept any more.
        :raises Problem: When the caller may not, or may no longer.
        """
        tries, retry, has_begun = 0, 0, False
        while True:
            try:
                for name, number, data in self._stream(after, types, changes):
                    tries = 0
                    if name == "message":
                        if after is None or data["seq"] > after:
                            after = data["seq"]
                            yield data
                    elif name in ("ready", "progress"):
                        after = max(after or 0, number if number is not None else after or 0)
                        if name == "ready" and changes and has_begun:
                            # What was retired while there was no stream is told by nobody.
                            self._hear(None)
                            yield {"type": "change", "modules": None, "consistency": None}
                        has_begun = has_begun or name == "ready"
                    elif name == "retry":
                        retry = data
                    elif name == "change":
                        self._hear(data.get("consistency"))
                        yield {"type": "change", **data}
                    elif name == "end" and data.get("reason") in ("forbidden", "tenant_suspended"):
                        raise Problem(403, {"code": data["reason"], "detail": "The stream has ended."})
            except (OSError, http.client.HTTPException):
                pass
            except Problem as problem:
                if problem.code == "events_pruned":
                    raise EventsPruned(self._oldest(problem)) from problem
                if problem.code not in self._AGAIN:
                    raise
            with self._lock:
                self._first += 1
            tries += 1
            # At first as long as was told: by then nothing leads to an instance that stops.
            time.sleep(retry if tries == 1 and retry else self._pause(tries, None))

    def _hear(self, token):
        """Nothing older is answered in this thread; without a token the database is asked until no instance can be behind any more."""
        if token:
            self._told = token
        else:
            self._local.unsure = time.monotonic() + 2

    @staticmethod
    def _oldest(problem):
        return next((int(e["after"]) for e in problem.errors if str(e.get("after", "")).isdigit()), None)

    def _stream(self, after, types, changes):
        """The events of one connection: name, id and data of each."""
        query = {"after": after, "types": types, "changes": True if changes else None}
        target = "/v1/events/stream" + self._encoded("", query)
        for renewed in (False, True):
            address, token = self._address(), self._token
            # A word comes each second: who hears nothing for ten is alone.
            connection = self._connect(address, 10)
            try:
                fields = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
                connection.request("GET", address.path.rstrip("/") + target, headers=fields)
                answer = connection.getresponse()
                if answer.status == 401 and not renewed and self._renew(token):
                    continue
                if answer.status != 200:
                    answered = {name.lower(): value for name, value in answer.getheaders()}
                    raise Problem(answer.status, self._document(answered, answer.read()))
                yield from self._parsed(answer)
                return
            finally:
                connection.close()

    @staticmethod
    def _parsed(lines):
        name, number, data = "message", None, []
        for line in lines:
            line = line.decode().rstrip("\r\n")
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not line:
                if data:
                    yield name, number, json.loads("\n".join(data))
                name, number, data = "message", None, []
            elif field == "event":
                name = value
            elif field == "id" and value.isdigit():
                number = int(value)
            elif field == "data":
                data.append(value)
            elif field == "retry" and value.isdigit():
                yield "retry", None, int(value) / 1000

    # Files

    def import_file(self, kind, path, key=None, progress=None, **options):
        """Takes a file over, by parts that may each be sent again, and waits until its rows are in.

        :param kind: What the rows are: ``products``, ``sales`` and so on (docs/imports.md).
        :param path: The file, not compressed.
        :param key: The same key goes on with the same import.
        :param progress: Called with what is known of the import each second.
        :param options: ``mapping``, ``on_error``, ``dry_run`` and so on.
        :return: The import as it ended; ``/v1/imports/{id}/errors`` has the rows that were rejected.
        """
        job = self.post("/v1/imports", {"kind": kind, "name": path.rsplit("/", 1)[-1], **options}, key=key)
        address = f"/v1/imports/{job['id']}"
        if job["status"] == "receiving":
            parts, size = 0, 0
            with open(path, "rb") as file:
                while True:
                    part = file.read(1 << 20)
                    if not part:
                        break
                    parts, size = parts + 1, size + len(part)
                    self.put(f"{address}/parts/{parts}", part)
            self.post(f"{address}/start", {"parts": parts, "bytes": size})
        while True:
            job = self.get(address)
            if progress is not None:
                progress(job)
            if job["status"] not in ("receiving", "queued", "running"):
                return job
            time.sleep(1)
