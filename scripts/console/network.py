"""A network between pages and instances that can be cut: before a request is sent, on its way, and before or within its answer."""

import select
import socket
import struct
import threading

# Where a request meets the cut, in the order of its life.
UNSENT, HALF, SENT, DONE = ("before it is sent", "half of it sent", "sent", "done, its answer unsent")
HEADED, ANSWERED = ("within the head of its answer", "within its answer")
# Where nothing is cut: it is held, and goes on.
HELD = "held"


class Cut:
    """A cut that waits for a request."""

    def __init__(self, request, place, chance, then):
        self.request = request.encode()
        self.place = place
        self.chance = chance
        self.then = then
        self.happened = threading.Event()


class Network:
    """Connections to it go to the first of the ports that takes them."""

    def __init__(self, *ports):
        self.ports = ports
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.links = set()
        self.cut_ahead = None
        # None, "broken" (whoever connects is turned away) or "silent" (nothing comes through, and nobody says so).
        self.state = None
        self.mended = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def cut_at(self, request, place, chance, then):
        """Has `then` called once, when a request that begins so has come that far."""
        self.cut_ahead = Cut(request, place, chance, then)
        return self.cut_ahead

    def hold_at(self, request):
        """Has the next request that begins so wait until what it answers first is called; the second tells when it waits."""
        released = threading.Event()
        return released.set, self.cut_at(request, HELD, 0, released.wait).happened

    def cut(self, state):
        """Cuts all connections, until it is mended."""
        with self.lock:
            self.mended.clear()
            self.state = state
            links = list(self.links)
        if state == "broken":
            for link in links:
                link.end()

    def mend(self):
        """Lets through who connects from now on; what was silent is broken."""
        with self.lock:
            was, self.state = self.state, None
            links = list(self.links) if was == "silent" else []
            self.mended.set()
        for link in links:
            link.end()

    def blink(self):
        """Breaks all connections; the next ones are let through."""
        self.cut("broken")
        self.mend()

    def accept(self):
        while True:
            page, _ = self.listener.accept()
            threading.Thread(target=Link(self, page).run, daemon=True).start()

    def take_cut(self, bytes_):
        """The cut that waits for the request that begins so; it is taken by one."""
        with self.lock:
            cut = self.cut_ahead
            if cut is None or not bytes_.startswith(cut.request):
                return None
            self.cut_ahead = None
            return cut


class Link:
    """One connection of a page."""

    def __init__(self, network, page):
        self.network = network
        self.page = page
        self.instance = None

    def run(self):
        try:
            with self.network.lock:
                self.network.links.add(self)
                state = self.network.state
            if state == "broken":
                return
            self.pass_silence()
            self.instance = self.connect()
            self.forward()
        except (OSError, ValueError):
            pass
        finally:
            with self.network.lock:
                self.network.links.discard(self)
            for end in filter(None, (self.page, self.instance)):
                # As a network that is gone, not as somebody who says goodbye.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.close()

    def connect(self):
        for port in self.network.ports[:-1]:
            try:
                return socket.create_connection(("127.0.0.1", port), 5)
            except OSError:
                continue
        return socket.create_connection(("127.0.0.1", self.network.ports[-1]), 5)

    def end(self):
        """Has its thread end it."""
        for end in filter(None, (self.page, self.instance)):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pass_silence(self):
        if self.network.state == "silent":
            self.network.mended.wait()

    def forward(self):
        while True:
            ready, _, _ = select.select([self.page, self.instance], [], [])
            self.pass_silence()
            for source in ready:
                piece = source.recv(65536)
                if not piece:
                    return
                if source is self.page:
                    cut = self.network.take_cut(piece)
                    if cut and cut.place != HELD:
                        return self.meet(cut, piece)
                    if cut:
                        cut.happened.set()
                        cut.then()
                    self.instance.sendall(piece)
                else:
                    self.page.sendall(piece)

    def meet(self, cut, piece):
        """Goes as far as the cut lets it, and cuts."""
        if cut.place != UNSENT:
            request = whole(self.page, piece)
            self.instance.sendall(request[:part(request, cut.chance)] if cut.place == HALF else request)
        if cut.place in (DONE, HEADED, ANSWERED):
            answer = whole(self.instance, b"")
            if cut.place != DONE:
                reached = answer[:answer.index(b"\r\n\r\n")] if cut.place == HEADED else answer
                self.page.sendall(answer[:part(reached, cut.chance)])
        cut.then()
        cut.happened.set()
        # Whoever cut in silence is not told.
        self.pass_silence()


def part(bytes_, chance):
    """A length that is neither nothing nor all."""
    return 1 + int(chance * (len(bytes_) - 1))


def whole(source, bytes_):
    """A message of HTTP whose beginning may have been read."""
    while b"\r\n\r\n" not in bytes_:
        bytes_ += more(source)
    head = bytes_.index(b"\r\n\r\n") + 4
    fields = dict(line.lower().split(b": ", 1) for line in bytes_[:head].split(b"\r\n")[1:] if b": " in line)
    while len(bytes_) < head + int(fields.get(b"content-length", 0)):
        bytes_ += more(source)
    return bytes_


def more(source):
    piece = source.recv(65536)
    if not piece:
        raise ConnectionError("it ended before its message did")
    return piece
