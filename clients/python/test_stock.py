"""Tries the client against two instances: URLS, EMAIL and PASSWORD say where and by whom. Run by the tests of the service."""

import contextlib
import os
import socket
import tempfile
import threading
import unittest
import uuid
from decimal import Decimal

from stock import Problem, Stock, Unreachable

URLS = os.environ["URLS"].split()


class Line:
    """A line to an instance that can be told to lose the answers of its next requests, or to break."""

    def __init__(self, url):
        self._target = url.rsplit("/", 1)[-1].split(":")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.losses = 0
        self.lost = 0
        # How much of a lost answer comes through.
        self.reach = 0
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._target[0], int(self._target[1])))
                self._open += [near, far]
                threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source, sink, is_answer):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if is_answer and self.losses > 0:
                    self.losses -= 1
                    self.lost += 1
                    sink.sendall(data[:self.reach])
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self):
        """Breaks what is open."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class StockTests(unittest.TestCase):
    def setUp(self):
        self.lines = [Line(url) for url in URLS]
        self.shop = Stock([line.url for line in self.lines], patience=60)
        self.shop.log_in(os.environ["EMAIL"], os.environ["PASSWORD"])

    def tearDown(self):
        self.shop.close()
        for line in self.lines:
            line.close()

    def product(self, on_hand="10"):
        made = self.shop.post("/v1/products", {"sku": f"Ñ-{uuid.uuid4()}", "name": "Té «verde» 🍵", "price": "4.20", "tax_rate": "0"})
        self.shop.post("/v1/stock/movements", {"movements": [
            {"product_id": made["id"], "type": "opening", "quantity": on_hand, "reason": "first count"}]})
        return made

    def sell(self, product, quantity, key=None):
        total = str(Decimal("4.20") * Decimal(quantity))
        return self.shop.post("/v1/sales", {"lines": [{"product_id": product["id"], "quantity": quantity}],
                                            "payments": [{"method": "card", "amount": total}]}, key=key)

    def test_a_sale_whose_answer_is_lost_is_made_once_and_seen_everywhere(self):
        product = self.product()
        for line in self.lines:
            line.losses = 1
        sold = self.sell(product, "3")
        self.assertEqual(sold.status, 201)
        self.assertGreaterEqual(sum(line.lost for line in self.lines), 1)
        for _ in URLS:
            self.assertEqual(self.shop.get(f"/v1/products/{product['id']}")["on_hand"], "7")
            self.shop._first += 1  # the next one is asked of the other instance

    def test_an_answer_that_breaks_off_within_its_head_is_none(self):
        product = self.product()
        for line in self.lines:
            line.losses, line.reach = 1, 60
        sold = self.sell(product, "3")
        self.assertGreaterEqual(sum(line.lost for line in self.lines), 1)
        self.assertEqual((sold.status, sold["total"]), (201, "12.60"))
        self.assertEqual(self.shop.get(f"/v1/products/{product['id']}")["on_hand"], "7")

    def test_what_was_written_is_read_by_the_other_instance(self):
        product = self.product("100")
        for left in range(99, 79, -1):
            self.sell(product, "1")
            self.shop._first += 1
            self.assertEqual(self.shop.get(f"/v1/products/{product['id']}")["on_hand"], str(left))

    def test_a_refusal_says_what_is_wrong_and_where(self):
        product = self.product("1")
        with self.assertRaises(Problem) as caught:
            self.sell(product, "2")
        self.assertEqual((caught.exception.status, caught.exception.code), (409, "insufficient_stock"))
        self.assertEqual(caught.exception.errors[0]["pointer"], "/lines/0/quantity")
        self.assertIn("/lines/0/quantity", str(caught.exception))
        with self.assertRaises(Problem) as caught:
            self.shop.post("/v1/products", {"name": "", "price": 4})
        self.assertEqual({e["pointer"] for e in caught.exception.errors}, {"/name", "/price"})

    def test_a_token_that_has_run_out_is_renewed_once_for_all_threads(self):
        product = self.product()
        refresh = self.shop._refresh
        self.shop._token = "run.out.long-ago"
        answers, renewals, take = [], [], self.shop._take
        self.shop._take = lambda answer: (renewals.append(1), take(answer))
        threads = [threading.Thread(target=lambda: answers.append(self.shop.get(f"/v1/products/{product['id']}"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([answer["id"] for answer in answers], [product["id"]] * 8)
        self.assertEqual(len(renewals), 1)
        self.assertNotEqual(self.shop._refresh, refresh)

    def test_what_has_not_changed_is_not_sent_again_and_what_has_is(self):
        product = self.product()
        path = f"/v1/products/{product['id']}"
        first = self.shop.get(path)
        self.assertIs(self.shop.get(path), first)
        self.shop.patch(path, {"name": "Té negro"}, first.etag)
        self.assertEqual(self.shop.get(path)["name"], "Té negro")
        with self.assertRaises(Problem) as caught:
            self.shop.patch(path, {"name": "Té blanco"}, first.etag)
        self.assertEqual(caught.exception.code, "version_mismatch")

    def test_who_logs_in_next_is_shown_nothing_of_who_was_before(self):
        mine = self.shop.get("/v1/tenant")
        slug = f"s{uuid.uuid4().hex[:12]}"
        other = {"tenant_name": "Ñandú", "slug": slug, "email": f"{slug}@example.com", "password": "a long enough one",
                 "currency": "EUR", "timezone": "Europe/Berlin"}
        self.shop.request("POST", "/v1/signup", other, authenticated=False)
        self.shop.log_in(other["email"], other["password"])
        theirs = self.shop.get("/v1/tenant")
        self.assertEqual((theirs["slug"], theirs["name"]), (slug, "Ñandú"))
        self.assertNotEqual(theirs["id"], mine["id"])

    def test_what_might_be_done_twice_is_not_sent_again(self):
        sku = f"T-{uuid.uuid4()}"
        for line in self.lines:
            line.losses = 1
        with self.assertRaises(Unreachable):
            self.shop.request("POST", "/v1/products", {"sku": sku, "name": "Té", "price": "1.00"})
        self.assertEqual(sum(line.lost for line in self.lines), 1)

    def test_threads_that_write_at_once_see_what_they_wrote(self):
        product, wrong = self.product(), []

        def work(number):
            for step in range(6):
                name = f"Té {number}.{step}"
                made = self.shop.post("/v1/products", {"sku": f"W-{uuid.uuid4()}", "name": name, "price": "1.00"})
                try:
                    self.shop.get(f"/v1/products/{made['id']}")
                except Problem as problem:
                    wrong.append(problem)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(self.shop.get(f"/v1/products/{product['id']}")["on_hand"], "10")

    def test_a_list_is_read_page_after_page(self):
        made = {self.product()["id"] for _ in range(5)}
        self.assertLessEqual(made, {product["id"] for product in self.shop.list("/v1/products", limit=2)})

    def test_the_stream_misses_nothing_and_repeats_nothing_over_lines_that_break(self):
        product = self.product("100")
        head = self.shop.get("/v1/events", limit=1)["head"]
        sold, seen = [], []

        def follow():
            for event in self.shop.events(after=head, types=["sale.confirmed"]):
                seen.append(event)
                if len(seen) == 12:
                    return

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        for number in range(12):
            sold.append(self.sell(product, "1")["id"])
            if number % 4 == 3:
                for line in self.lines:
                    line.cut()
        follower.join(60)
        self.assertEqual([event["entity_id"] for event in seen], sold)
        numbers = [event["seq"] for event in seen]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_a_change_is_told_and_what_is_read_then_shows_it(self):
        product = self.product("100")
        changes = self.shop.events(types=["sale"], changes=True)
        told = threading.Event()

        def follow():
            for event in changes:
                if event["type"] == "change" and "stock" in event["modules"]:
                    told.set()
                    return

        threading.Thread(target=follow, daemon=True).start()
        left = 100
        while not told.wait(0.2):
            self.sell(product, "1")
            left -= 1
            self.assertGreater(left, 50, "no change is told")
        self.assertEqual(self.shop.get(f"/v1/products/{product['id']}")["on_hand"], str(left))

    def test_what_a_stream_tells_takes_nothing_away_from_what_was_written(self):
        product = self.product("5")
        self.sell(product, "1")
        written, told = self.shop.seen, self.product("1") and self.shop.seen
        self.shop.seen = written
        self.shop._hear(told)
        sent, exchange = [], self.shop._exchange

        def noted(method, target, body, fields):
            sent.append(dict(fields))
            return exchange(method, target, body, fields)

        self.shop._exchange = noted
        self.assertEqual(self.shop.get(f"/v1/products/{product['id']}")["on_hand"], "4")
        self.assertEqual(sent[-1]["Stock-Consistency"], f"{written},{told}")
        self.shop._hear(None)
        self.shop.get("/v1/stock", limit=1)
        self.assertNotIn(",", sent[-1]["Stock-Consistency"])
        self.assertEqual(sent[-1]["Cache-Control"], "no-cache")

    def test_a_file_is_imported_by_parts(self):
        rows = "".join(f"I-{uuid.uuid4()},Café,1.50\n" for _ in range(50)) + "bad,,x\n"
        with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as file:
            file.write("sku,name,price\n" + rows)
            file.flush()
            looks = []
            job = self.shop.import_file("products", file.name, progress=looks.append)
        self.assertEqual(job["status"], "completed_with_errors", job)
        self.assertEqual(job["rejected"], 1, job)
        self.assertTrue(looks)
        errors = list(self.shop.list(f"/v1/imports/{job['id']}/errors"))
        self.assertEqual({error["line"] for error in errors}, {52})

    def test_where_nobody_answers_that_is_said(self):
        for line in self.lines:
            line.close()
        with Stock([line.url for line in self.lines], key="none", patience=0.5) as nobody, self.assertRaises(Unreachable):
            nobody.get("/v1/products")


if __name__ == "__main__":
    unittest.main()
