"""oracle_talk: random conversations between addresses that nobody has, packet by packet, for the oracle."""
import ipaddress
import struct

import quic
from oracle_packet import ACK, FIN, PUSH, RST, SYN
from oracle_world import AGENTS, BASES, CLASSES, CODES, HOSTS, METHODS, NAMES, PATHS, PORTS, PROTOS, TYPES, server, \
    sub4, sub6
from ruletable import checksum, hello, question

KINDS = ["http"] * 7 + ["tls", "tls", "plain", "middle", "dns", "dns", "udp", "udp", "quic", "quic", "icmp", "proto",
                        "fragments", "fragments", "dns_tcp", "early"]
SHELL = ["http"] * 3 + ["tls", "plain", "middle", "ssh", "ssh", "ssh"]  # where nDPI is asked


def with_checksum(message, at=2):
    return message[:at] + struct.pack("!H", checksum(message)) + message[at + 2:]


class Talk:
    """A conversation of subscriber k: packets() gives (uplink, packet) one after the other."""

    def __init__(self, r, k, sport):
        self.r, self.k, self.sport = r, k, sport
        self.six = r.random() < 0.4
        self.sub = sub6(k) if self.six else sub4(k)
        self.server = server(r, self.six)
        self.kind = r.choice(KINDS if k < BASES - 2 else SHELL)
        self.seq = {True: r.getrandbits(32), False: r.getrandbits(32)}
        self.turned = r.random() < 0.1  # TCP: opened by the other side, of a server at the subscriber

    def packets(self):
        """The conversation; some end before their end."""
        steps = getattr(self, self.kind)()
        if self.r.random() > 0.12:
            yield from steps
            return
        for _, step in zip(range(self.r.randint(1, 9)), steps):
            yield step
        if self.kind in ("http", "tls", "plain", "middle", "ssh", "dns_tcp", "early"):
            yield from self.close()

    def ip(self, up, proto, data, more=None):
        """more: (offset, more fragments, identification)."""
        src, dst = (self.sub, self.server) if up else (self.server, self.sub)
        src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
        if not self.six:
            offset, goes_on, number = more or (0, 0, self.r.randint(1, 65535))
            return up, struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), number, goes_on << 13 | offset >> 3, 60,
                                   proto, 0) + src + dst + data
        if more:
            data = struct.pack("!BBHI", proto, 0, more[0] | more[1], more[2]) + data
            proto = 44
        if self.r.random() < 0.1:  # destination options, of padding
            data, proto = bytes([proto, 0, 1, 4, 0, 0, 0, 0]) + data, 60
        return up, struct.pack("!IHBB", 0x60000000, len(data), proto, 60) + src + dst + data

    # --- TCP ---

    def segment(self, up, flags, data=b"", seq=None):
        at = self.seq[up] if seq is None else seq
        if seq is None:
            self.seq[up] = (at + len(data) + bool(flags & (SYN | FIN))) & 0xffffffff
        ack = self.seq[not up] if flags & ACK else 0
        up = up != self.turned
        ports = (self.sport, self.dport) if up else (self.dport, self.sport)
        return self.ip(up, 6, struct.pack("!HHIIBBHHH", *ports, at, ack, 0x50, flags, 8192, 0, 0) + data)

    def handshake(self):
        yield self.segment(True, SYN)
        if self.r.random() < 0.05:  # once more
            yield self.segment(True, SYN, seq=(self.seq[True] - 1) & 0xffffffff)
        yield self.segment(False, SYN | ACK)
        yield self.segment(True, ACK)

    def say(self, data, up=True):
        """Bytes of a side, in one segment or several, in order or not, once or twice."""
        cut = sorted(self.r.sample(range(1, len(data)), self.r.choice([0, 0, 1, 2]))) if len(data) > 3 else []
        parts = [data[a:b] for a, b in zip([0] + cut, cut + [len(data)])]
        sent, at = [], self.seq[up]
        for x in parts:
            sent.append((at, x))
            at = (at + len(x)) & 0xffffffff
        if len(sent) > 1 and self.r.random() < 0.3:
            sent[-2:] = reversed(sent[-2:])
        if self.r.random() < 0.15:
            sent.append(self.r.choice(sent))
        for seq, x in sent:
            yield self.segment(up, PUSH | ACK, x, seq)
            if self.r.random() < 0.5:
                yield self.segment(not up, ACK)
        self.seq[up] = at

    def answer(self, method):
        r = self.r
        code = r.choice([200] * 3 + CODES)
        body = b"" if code in (204, 304) else r.choice([b"", b"body", b"HTTP/1.1 404 Not Found\r\n\r\n"])
        lines = [f"HTTP/1.1 {code} Said"]
        if r.random() < 0.7:
            lines.append("Content-Type: " + r.choice(TYPES) + r.choice(["", "; charset=utf-8"]))
        if body and r.random() < 0.25:
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif code != 204:
            lines.append(f"Content-Length: {len(body)}")
        yield from self.say("\r\n".join(lines + ["", ""]).encode() + (b"" if method == "HEAD" else body), False)
        if r.random() < 0.7:
            yield self.segment(True, ACK)

    def request(self, method):
        r = self.r
        lines = [f"{method} {r.choice(PATHS)} HTTP/1.1"]
        if r.random() < 0.9:
            lines.append(f"Host: {r.choice(HOSTS)}" + (":8080" if r.random() < 0.2 else ""))
        if r.random() < 0.5:
            lines.append(f"User-Agent: {r.choice(AGENTS)}")
        if r.random() < 0.5:
            lines.append(f"x-class: {r.choice(CLASSES)}")
        body = b""
        if method in ("POST", "PUT"):
            body = b"GET / HTTP/1.1\r\nHost: in.a.body\r\n\r\n"[:r.randint(0, 60)]
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines + ["", ""]).encode() + body

    def close(self):
        r = self.r.random()
        if r < 0.4:
            return
        if r < 0.6:
            yield self.segment(self.r.random() < 0.5, RST | ACK)
            return
        first = self.r.random() < 0.5
        yield self.segment(first, FIN | ACK)
        yield self.segment(not first, ACK)
        yield self.segment(not first, FIN | ACK)
        if self.r.random() < 0.2:  # once more
            yield self.segment(not first, FIN | ACK, seq=(self.seq[not first] - 1) & 0xffffffff)
        yield self.segment(first, ACK)
        if self.r.random() < 0.4:  # another connection on the same ports
            self.seq = {True: self.r.getrandbits(32), False: self.r.getrandbits(32)}
            yield from getattr(self, self.kind)()

    def http(self):
        self.dport = self.r.choice([80, 80, 8080, 7002])
        yield from self.handshake()
        for _ in range(self.r.randint(1, 4)):
            method = self.r.choice(METHODS)
            yield from self.say(self.request(method))
            if self.r.random() < 0.95:
                yield from self.answer(method)
        yield from self.close()

    def tls(self):
        self.dport = self.r.choice([443, 443, 8080])
        yield from self.handshake()
        yield from self.say(hello(self.r.choice(NAMES)))
        for up in (False, True, False):
            yield self.segment(up, PUSH | ACK, b"\x17\x03\x03\0\x10" + self.r.randbytes(16))
            yield self.segment(not up, ACK)
        yield from self.close()

    def plain(self):
        self.dport = self.r.choice(PORTS[1:])  # 53 would be DNS
        yield from self.handshake()
        for up in (True, False, True):
            yield self.segment(up, PUSH | ACK, b"\0\1" + self.r.randbytes(self.r.randint(1, 300)))
            yield self.segment(not up, ACK)
        yield from self.close()

    def dns_tcp(self):
        self.dport = 53
        yield from self.handshake()
        for _ in range(self.r.randint(1, 3)):
            q = question(self.r.choice(NAMES))
            yield from self.say(struct.pack("!H", len(q)) + q)
            yield from self.say(struct.pack("!H", len(q)) + q[:2] + b"\x81\x83" + q[4:], False)
        yield from self.close()

    def early(self):
        """Its request is in the SYN."""
        self.dport, method = 80, self.r.choice(METHODS)
        data = self.request(method)
        yield self.segment(True, SYN, data[:30])
        yield self.segment(False, SYN | ACK)
        if data[30:]:
            yield from self.say(data[30:])
        yield from self.answer(method)
        yield from self.close()

    def ssh(self):
        self.dport = self.r.choice([5060, 7001, 7010])
        yield from self.handshake()
        for up in self.r.choice([(True, False), (False, True)]):
            yield self.segment(up, PUSH | ACK, b"SSH-2.0-OpenSSH_9.2\r\n")
            yield self.segment(not up, ACK)
        for up in (True, False, True):
            yield self.segment(up, PUSH | ACK, self.r.randbytes(self.r.randint(40, 300)))
        yield from self.close()

    def middle(self):
        self.dport = self.r.choice([80, 443])
        for _ in range(3):
            yield self.segment(True, PUSH | ACK, self.request("GET"))
            yield self.segment(False, ACK)
        yield from self.close()

    # --- others ---

    def datagram(self, up, data, dport):
        ports = (self.sport, dport) if up else (dport, self.sport)
        return self.ip(up, 17, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data)

    def dns(self):
        for _ in range(self.r.randint(1, 4)):
            q = question(self.r.choice(NAMES))
            yield self.datagram(True, q, 53)
            yield self.datagram(False, q[:2] + b"\x81\x83" + q[4:], 53)

    def quic(self):
        said, dcid = hello(self.r.choice(NAMES))[5:], self.r.randbytes(self.r.randint(8, 20))
        first = [quic.initial(dcid, said)]
        if self.r.random() < 0.5:
            at = self.r.randint(1, len(said) - 1)
            first = [quic.initial(dcid, said[:at]), quic.initial(dcid, said[at:], 1, at)]
            self.r.shuffle(first)
        for x in first:
            yield self.datagram(True, x, 443)
            if self.r.random() < 0.3:
                yield self.datagram(False, b"\xe0" + self.r.randbytes(60), 443)
        for _ in range(self.r.randint(1, 4)):
            yield self.datagram(self.r.random() < 0.5, b"\x40" + self.r.randbytes(self.r.randint(30, 200)), 443)

    def udp(self):
        dport = self.r.choice([p for p in PORTS if p != 53])
        first = self.r.random() < 0.8
        sent = None
        for i in range(self.r.randint(2, 8)):
            up = first if i == 0 else self.r.random() < 0.5
            if sent and self.r.random() < 0.12:
                yield self.error(*sent)
            sent = self.datagram(up, b"\0" + self.r.randbytes(self.r.randint(0, 400)), dport)
            yield sent
            if self.r.random() < 0.1:
                yield self.datagram(up, b"", dport)

    def error(self, up, packet):
        """The other side says that it could not have that packet, and quotes its beginning."""
        kind = self.r.choice([(1, 4), (3, 0)] if self.six else [(3, 3), (11, 0)])
        m = struct.pack("!BBHI", *kind, 0, 0) + packet[:(40 if self.six else 20) + 8]
        return self.ip(not up, 58 if self.six else 1, with_checksum(m)) if packet[6] != 60 else (up, packet)

    def echo(self, up, data):
        kind = (128 if up else 129) if self.six else 8 if up else 0
        return with_checksum(struct.pack("!BBHHH", kind, 0, 0, self.sport, 1) + data)

    def icmp(self):
        for i in range(self.r.randint(1, 4)):
            yield self.ip(i % 2 == 0, 58 if self.six else 1, self.echo(i % 2 == 0, self.r.randbytes(20)))

    def proto(self):
        number = self.r.choice(PROTOS)
        for i in range(self.r.randint(1, 5)):
            yield self.ip(i == 0 or self.r.random() < 0.5, number, self.r.randbytes(40 + i))

    def fragments(self):
        """Datagrams in pieces: in order, from the end, or without the first."""
        dport = self.r.choice([p for p in PORTS if p != 53])
        for i in range(self.r.randint(1, 3)):
            up, data = i == 0 or self.r.random() < 0.6, b"\0" + self.r.randbytes(self.r.randint(40, 300))
            if self.r.random() < 0.7:
                ports = (self.sport, dport) if up else (dport, self.sport)
                proto, data = 17, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data
            else:
                proto, data = (58 if self.six else 1), self.echo(up, data)
            number = self.r.randint(1, 65535)
            cuts = [0, *sorted(self.r.sample(range(8, len(data) - 1, 8), self.r.choice([1, 2]))), len(data)]
            parts = [(a, int(b < len(data)), data[a:b]) for a, b in zip(cuts, cuts[1:])]
            way = self.r.random()
            if way < 0.2:
                parts.reverse()
            elif way < 0.3:
                parts = parts[1:]
            for offset, goes_on, piece in parts:
                yield self.ip(up, proto, piece, (offset, goes_on, number))
            if self.r.random() < 0.5 and proto == 17:
                yield self.datagram(up, b"\0whole", dport)
