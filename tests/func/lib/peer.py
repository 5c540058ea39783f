#!/usr/bin/env python3
"""peer: a chassis that lies. It speaks SRP as srp/PROTOCOL.md says, with a certificate of the test's
choice, and says what a test tells it to: one command a line, one line of answer each.

peer.py ADDRESS PEER PORT CERTIFICATE KEY CA [KEY=VALUE...]

    open N [hello]              connect and authenticate: 0 is the control connection, i instance i; with
                                `hello`, agree with the other side as well
    say N what [ARGUMENT...]    send something; see the say_ functions
    wait N [TYPE]               the next frame (of that type, a number), or `closed`
    ends N                      wait until the other side closes
    close N                     close without a word
    kinds [NUMBER...]           what the next HELLO of an instance does not name
    took N                      what has come as records: [NUMBER, how many], ...; each is acknowledged, and
                                each question about them is answered by `equal`, from the first call on
    differ N KIND               answers the next one that the kind differs, everywhere: the keys that are named
    want N KEY                  wants one of those, and that is all

The values of its HELLO can be given: role, term, complete, instances, ..."""
import os
import select
import socket
import ssl
import struct
import sys
import time

WAIT = 20  # seconds that an answer may take

CONTROL, INSTANCE = 0x5352, 0x5349
HELLO, ERROR = 0x01, 0x31
I_HELLO, RECORDS, ACK, DIGEST, DIFFER, BUCKETS, SPLIT, KEYS, WANT, EXTRA, PURGE = range(1, 12)
FILLED, QUESTION, ANSWER = 13, 14, 15
INIT, STANDBY, PENDING_ACTIVE, ACTIVE, PENDING_STANDBY = range(5)
KINDS = (241, 240, 179, 33, 4, 212, 210)
FULL, FLOW, UNKNOWN_KIND = 240, 210, 99


def pack(v):
    """msgpack, as far as SRP uses it."""
    if v is None:
        return b"\xc0"
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        return bytes([v]) if v < 128 else b"\xcf" + struct.pack("!Q", v)
    if isinstance(v, str):
        return b"\xd9" + bytes([len(v)]) + v.encode()
    if isinstance(v, bytes):
        return b"\xc4" + bytes([len(v)]) + v
    head = bytes([0x90 | len(v)]) if len(v) < 16 else b"\xdc" + struct.pack("!H", len(v))
    return head + b"".join(map(pack, v))


def unpack(b, at=0):
    """The value at a place of b, and the place behind it."""
    c = b[at]
    at += 1
    if c < 0x80:
        return c, at
    if 0x90 <= c <= 0x9f or c in (0xdc, 0xdd):
        size = {0xdc: 2, 0xdd: 4}.get(c, 0)
        n = int.from_bytes(b[at:at + size], "big") if size else c & 15
        at += size
        out = []
        for _ in range(n):
            v, at = unpack(b, at)
            out.append(v)
        return out, at
    if 0xa0 <= c <= 0xbf:
        return b[at:at + (c & 31)].decode(), at + (c & 31)
    if c in (0xc4, 0xd9):
        n, at = b[at], at + 1
        return (b[at:at + n] if c == 0xc4 else b[at:at + n].decode()), at + n
    if c in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[c], at
    size = {0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8}[c]
    return int.from_bytes(b[at:at + size], "big"), at + size


def unpack_head(b, n):
    """The first n elements of an array of less than 16: what follows is not looked at."""
    out, at = [], 1
    for _ in range(n):
        v, at = unpack(b, at)
        out.append(v)
    return out


def frame(magic, kind, body=b"", length=None):
    length = len(body) if length is None else length
    return struct.pack("!HBBB3xI", magic, 1, kind, 0, length) + body


class Link:
    def __init__(self, peer, number):
        self.number = number
        self.magic = INSTANCE if number else CONTROL
        self.stream = int.from_bytes(os.urandom(7), "big") + 1
        self.sent = 0      # records, of this stream
        self.frames = []   # that came and were not asked for yet
        self.buffer = b""
        self.closed = False
        self.follows = False
        self.took = {}     # records by kind
        self.differs = []  # kinds, by our word
        self.named = None  # [comparison, kind, [key and hash, ...]] of one of them
        raw = socket.create_connection((peer.other, peer.port + number), WAIT, (peer.own, 0))
        try:
            self.socket = peer.tls.wrap_socket(raw)
        except (OSError, ssl.SSLError):
            raw.close()
            raise
        self.socket.settimeout(WAIT)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (OSError, ssl.SSLError):
            self.closed = True

    def read(self):
        """What there is now."""
        self.socket.settimeout(0.01)
        try:
            data = self.socket.recv(65536)
            if data:
                self.buffer += data
            else:
                self.closed = True
        except (TimeoutError, ssl.SSLWantReadError):
            pass
        except (OSError, ssl.SSLError):
            self.closed = True
        self.socket.settimeout(WAIT)
        while len(self.buffer) >= 12:
            length = struct.unpack("!I", self.buffer[8:12])[0]
            if len(self.buffer) < 12 + length:
                break
            self.frames.append((self.buffer[3], self.buffer[12:12 + length]))
            self.buffer = self.buffer[12 + length:]


class Peer:
    def __init__(self, own, other, port, certificate, key, ca, **hello):
        self.own, self.other, self.port = own, other, int(port)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self.tls.load_cert_chain(certificate, key)
        self.tls.load_verify_locations(ca)
        self.links = {}
        self.hello_due = 0
        self.without = set()  # kinds that are not named
        self.heard = {}  # what the other side said in the last HELLO of a connection
        self.me = {"role": INIT, "term": 0, "complete": False, "instances": 2, "highest": None,
                   "bit": 1, "incarnation": 4711, "objects": 1}
        self.me.update({k: int(v) for k, v in hello.items()})

    # --- hellos ---

    def control_hello(self, **changed):
        me = dict(self.me, **changed)
        instances = [[bool(me["complete"]), 3, 1, 0, 0, 0, 0]] * me["instances"]
        highest = me["term"] >> 1 if me["highest"] is None else me["highest"]
        side = [b"", b""]
        body = pack([1, 1, "liar", me["incarnation"], me["role"], 0, me["term"], highest, 0, 200,
                     b"\2\0\0\0\0\1", me["bit"], 50, 1, 200, 2000, 0, int(time.time() * 1e6),
                     [side, side], instances])
        return frame(CONTROL, HELLO, body)

    def instance_hello(self, link, number=None, ack=0, **changed):
        me = dict(self.me, **changed)
        body = pack([1, 1, number or 1, ack, link.stream, me["role"], me["term"], me["term"],
                     bool(me["complete"]), me.get("instance", link.number), 4242, 0, 0, 0, False, bool(me["objects"]),
                     [[k, 1, 1] for k in KINDS if k not in self.without]])
        return frame(INSTANCE, I_HELLO, body)

    def agree(self, link):
        """Goes on until each side has heard the other's latest."""
        if link.number == 0:
            link.send(self.control_hello())
            self.expect(link, HELLO)
            return
        theirs, heard = 0, 0
        while heard != 1:
            link.send(self.instance_hello(link, 1, theirs))
            hello = unpack(self.expect(link, I_HELLO))[0]
            theirs, heard = hello[2], hello[3]
            self.heard[link.number] = hello
        link.send(self.instance_hello(link, 1, theirs))

    # --- waiting, while hellos go on ---

    def pump(self, wait=0.05):
        if 0 in self.links and self.links[0].agreed and time.monotonic() > self.hello_due:
            self.hello_due = time.monotonic() + 0.2
            self.links[0].send(self.control_hello())
        open_links = [x for x in self.links.values() if not x.closed]
        ready = [x for x in open_links if x.socket.pending()]
        if not ready and open_links:
            fds = select.select([x.socket for x in open_links], [], [], wait)[0]
            ready = [x for x in open_links if x.socket in fds]
        for x in ready:
            x.read()
            for kind, body in x.frames:
                if x.number and kind == I_HELLO:
                    self.heard[x.number] = unpack(body)[0]
            if x.follows:
                self.follow(x)
            if x.agreed:
                hello = I_HELLO if x.number else HELLO
                self.rehello(x, [b for k, b in x.frames if k == hello])
                x.frames = [f for f in x.frames if f[0] != hello]

    @staticmethod
    def follow(link):
        """Takes records, and says so; finds nothing wrong."""
        for kind, body in link.frames:
            if kind == RECORDS:
                (_, stream, first, count), at = unpack(body)
                for _ in range(count):
                    record, at = unpack(body, at)
                    link.took[record[0]] = link.took.get(record[0], 0) + 1
                link.send(frame(INSTANCE, ACK, pack([stream, first + count - 1, []])))
            elif kind == DIGEST:
                link.send(frame(INSTANCE, DIFFER, pack([unpack(body)[0][0], 0, link.differs])))
            elif kind == BUCKETS:
                link.send(frame(INSTANCE, SPLIT, pack(unpack_head(body, 2) + [b"\xff" * 32])))
            elif kind == KEYS:
                number, which, _, keys = unpack(body)[0]
                link.named = [number, which, keys]
        link.frames = [f for f in link.frames if f[0] not in (RECORDS, DIGEST, BUCKETS, KEYS)]

    def rehello(self, link, bodies):
        """A change of the other side is acknowledged."""
        if link.number and bodies:
            link.send(self.instance_hello(link, 1, unpack(bodies[-1])[0][2]))

    def expect(self, link, kind):
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            for i, (k, body) in enumerate(link.frames):
                if k == kind or kind is None:
                    del link.frames[:i + 1]
                    return body if kind is not None else (k, body)
            if link.closed:
                raise EOFError
            self.pump()
        raise TimeoutError

    # --- commands ---

    def do_open(self, n, hello=None):
        number = int(n)
        self.do_close(n)
        try:
            link = Link(self, number)
        except (OSError, ssl.SSLError) as e:
            return f"refused: {e}"
        link.agreed = False
        self.links[number] = link
        if hello:
            try:
                self.agree(link)
            except (EOFError, TimeoutError) as e:
                return f"not agreed: {type(e).__name__}"
            link.agreed = True
        return "open"

    def do_close(self, n):
        link = self.links.pop(int(n), None)
        if link:
            link.socket.close()
        return "closed"

    def do_say(self, n, what, *args):
        link = self.links[int(n)]
        data = getattr(self, "say_" + what)(link, *args)
        link.send(data)
        return "said"

    def do_wait(self, n, kind=None):
        link = self.links[int(n)]
        try:
            got = self.expect(link, int(kind) if kind else None)
        except EOFError:
            return "closed"
        except TimeoutError:
            return "nothing"
        if kind is None:
            return f"frame {got[0]} {got[1].hex()}"
        return str(unpack(got)[0])

    def do_ends(self, n):
        link = self.links[int(n)]
        end = time.monotonic() + WAIT
        said = ""
        while not link.closed and time.monotonic() < end:
            self.pump()
        if link.number == 0:
            said = "".join(" " + str(unpack(b)[0][1]) for k, b in link.frames if k == ERROR)
        return "closed" + said if link.closed else "open"

    def do_kinds(self, *without):
        self.without = {int(k) for k in without}
        return "said"

    def do_took(self, n):
        link = self.links[int(n)]
        link.follows = True
        self.pump()
        self.follow(link)
        return str(sorted(link.took.items()))

    def do_differ(self, n, kind):
        link = self.links[int(n)]
        link.follows, link.differs, link.named = True, [int(kind)], None
        end = time.monotonic() + WAIT
        while link.named is None and not link.closed and time.monotonic() < end:
            self.pump()
        return str(link.named[2][::2] if link.named else [])

    def do_want(self, n, key):
        link = self.links[int(n)]
        head, link.differs = link.named[:2], []
        link.send(frame(INSTANCE, WANT, pack(head + [[int(key)]])))
        link.send(frame(INSTANCE, EXTRA, pack(head + [True, []])))
        return "said"

    # --- lies: any connection ---

    def say_nothing(self, _link):
        return b""

    def say_half(self, link):
        """Half a frame; a hello would be its other half."""
        link.agreed = False
        return frame(link.magic, 1, b"\x91" * 20, 40)

    def say_header(self, link):
        """Half a header."""
        link.agreed = False
        return frame(link.magic, 1, b"")[:7]

    def say_type(self, link):
        return frame(link.magic, 0xee, b"\x90")

    def say_length(self, link):
        return frame(link.magic, 1, b"", 0xffffffff)

    def say_magic(self, _link):
        return frame(0x4854, 1, b"\x90" * 30)

    def say_version(self, link):
        return b"".join((frame(link.magic, 1)[:2], b"\x63", frame(link.magic, 1)[3:]))

    def say_bomb(self, link):
        """An array that announces 4 294 967 295 elements."""
        return frame(link.magic, 1, b"\xdd\xff\xff\xff\xff" + b"\x00" * 60)

    def say_garbage(self, link):
        return frame(link.magic, 1, bytes(range(0xc1, 0xff)))

    def say_deep(self, link):
        return frame(link.magic, 1, b"\x91" * 60)

    # --- lies: the control connection ---

    def say_hello(self, link, *changes):
        changed = {k: int(v) for k, v in (c.split("=") for c in changes)}
        if link.number:
            return self.instance_hello(link, **changed)
        return self.control_hello(**changed)

    def say_handover(self, _link, term):
        return frame(CONTROL, 0x12, pack([int(term)]))

    def say_prepare(self, _link, term):
        return frame(CONTROL, 0x10, pack([1, int(term), 11, 1000, False]))

    # --- lies: an instance connection, as the source ---

    def records(self, link, *records, term=None, first=None):
        head = [self.me["term"] if term is None else term, link.stream,
                link.sent + 1 if first is None else first, len(records)]
        link.sent += len(records)
        return frame(INSTANCE, RECORDS, pack(head) + b"".join(records))

    def full(self, callid, version=1, term=None, fields=None):
        if fields is None:
            fields = [f"{callid:015d}", f"user{callid}", "internet", "gold",
                      socket.inet_aton(f"10.45.{callid >> 8 & 255}.{callid & 255}"), None, 0,
                      [[5, 9, 1]], 1000, 10]
        return pack([FULL, callid, self.me["term"] if term is None else term, version] + fields)

    def flow(self, callid, flow):
        key = b"\x11" + struct.pack("!HH", 5000, 7007) + socket.inet_aton("198.51.100.70")
        return pack([FLOW, callid, flow, self.me["term"], 1, key, 1, 5, 16, 0, None, 0, 0, 10, 10])

    def say_session(self, link, callid, version="1"):
        return self.records(link, self.full(int(callid), int(version)))

    def say_stranger(self, link, callid, flow):
        """A flow of a session that does not exist."""
        return self.records(link, self.flow(int(callid), int(flow)))

    def say_kind(self, link):
        return self.records(link, pack([UNKNOWN_KIND, 1, self.me["term"], 1]))

    def say_stale(self, link, callid):
        """A session under a term lower than the one of the hello."""
        return self.records(link, self.full(int(callid), term=self.me["term"] - 2),
                            term=self.me["term"] - 2)

    def say_broken(self, link, callid):
        """Three records: one whose fields have the wrong types, one that is cut, and a good one."""
        fields = [5] * 10
        return self.records(link, self.full(1, fields=fields), pack([FULL, 2]), self.full(int(callid)))

    def say_junk(self, link):
        """A frame of records that are no msgpack."""
        return frame(INSTANCE, RECORDS, pack([self.me["term"], link.stream, link.sent + 1, 3]) + b"\xc1" * 40)

    def say_count(self, link):
        """More records announced than there are."""
        return frame(INSTANCE, RECORDS, pack([self.me["term"], link.stream, link.sent + 1, 60000]))

    def say_gap(self, link):
        """The first record of a stream is any; the next one is not."""
        return self.records(link, self.full(11)) + self.records(link, self.full(77), first=link.sent + 100)

    def say_foreign(self, link):
        """Records of a stream that no hello has named."""
        was, link.stream, sent = link.stream, link.stream ^ 1, link.sent
        data = self.records(link, self.full(78))
        link.stream, link.sent = was, sent
        return data

    def say_purge(self, link, callid):
        """A deletion that nobody asked about."""
        return frame(INSTANCE, PURGE, pack([1, FULL, [int(callid)]]))

    def say_ack(self, link):
        """An acknowledgement of what the other side never sent."""
        return frame(INSTANCE, ACK, pack([self.heard[link.number][4], 1 << 40, []]))

    # --- what an operator of the other side asks ---

    def say_ask(self, _link, callid):
        return frame(INSTANCE, QUESTION, pack([7, pack([1, int(callid)])]))

    def say_answer(self, _link, number, what, callid=0):
        """A call line as an answer: `session`, or `mirror`, which a chassis does not have; or what is none."""
        line = [1, 2 if what == "mirror" else 1, int(callid), "1", "liar", False, 4, 0, [0, 0, 3, 8]]
        line += [[5, 4, 300, 200]] * 4 + [[0] * 9, [0] * 5, [2000] + [0] * 5]
        said = {"junk": b"\xdd\xff\xff\xff\xff", "nothing": b""}.get(what, pack(line))
        return frame(INSTANCE, ANSWER, pack([int(number), said]))

    def say_filled(self, link):
        return frame(INSTANCE, FILLED, pack([link.stream]))


def main():
    own, other, port, certificate, key, ca = sys.argv[1:7]
    peer = Peer(own, other, port, certificate, key, ca, **dict(a.split("=") for a in sys.argv[7:]))
    print("ready", flush=True)
    text = b""
    while True:
        if select.select([0], [], [], 0 if peer.links else 0.02)[0]:
            data = os.read(0, 65536)
            if not data:
                return
            text += data
        while b"\n" in text:
            line, text = text.split(b"\n", 1)
            command, *args = line.decode().split()
            try:
                answer = getattr(peer, "do_" + command)(*args)
            except (OSError, ssl.SSLError) as e:
                answer = f"error: {e}"
            print(answer, flush=True)
        peer.pump()


if __name__ == "__main__":
    main()
