"""oracle_talk: random rulebases, and random conversations between addresses that nobody has, packet by
packet, for the oracle. The same seed gives the same. As a program it prints the active-charging service of
a seed: oracle_talk.py SEED."""
import ipaddress
import random
import struct
import sys

from oracle import ACK, FIN, PUSH, RST, SYN, Base, Group, Line, Rule
from ruletable import checksum, hello, question

BASES = 8
RULES = 44
GROUPS = 6
FIRST_SUB = 30               # of the bed's numbers: no host has these addresses
HOSTS = ["www.shop.test", "shop.test", "video.example", "CDN.video.example", "a.test"]
PATHS = ["/", "/catalogue/item-1", "/catalogue/item-22", "/clip.mp4", "/a?id=4711&x=1", "/a?id=11",
         "/b/c?X=2&id=4712", "/Catalogue/"]
AGENTS = ["curl/7.88", "Mozilla/5.0", "player 3"]
CLASSES = ["gold", "silver", "Golden"]
NAMES = ["cdn.video.example", "www.shop.test", "mail.a.test", "x.test"]
METHODS = ["GET", "POST", "HEAD", "PUT"]
PORTS = [53, 80, 443, 5060, 7001, 7002, 7010, 8080]
PROTOS = [47, 50, 132]
TAKES = [set(), set(), {"all-packets"}, {"initial-packets"}, {"mid-session-packets"},
         {"mid-session-packets", "tear-down-packets"}, {"tear-down-packets"},
         {"initial-packets", "mid-session-packets"}]
LASTS = range(90, 97)        # of servers


def sub4(k):
    return f"10.45.0.{FIRST_SUB + k}"


def sub6(k):
    return f"2001:db8:45:{FIRST_SUB + k:x}::1"


def server(r, six):
    return f"2001:db8:99::{r.choice(LASTS)}" if six else f"198.51.100.{r.choice(LASTS)}"


class World:
    """Everything that a seed gives: ruledefs, groups, rulebases, what is eligible."""

    def __init__(self, seed):
        r = self.r = random.Random(seed)
        self.pools = {"near": [("198.51.100.90", "198.51.100.92"), ("2001:db8:99::90", "2001:db8:99::93")],
                      "nets": [("198.51.100.94", "198.51.100.95"), ("10.45.0.30", "10.45.0.33")],
                      "games": [(7001, 7001), (7005, 7011)], "web": [(80, 80), (8080, 8080), (443, 443)]}
        self.rules = [self.rule(i) for i in range(RULES)]
        self.any = Rule("everything", [Line("ip any-match", "=", "TRUE")])
        self.groups = [Group(f"g{i}", list(enumerate(r.sample(self.rules, r.randint(1, 5)), 1)))
                       for i in range(GROUPS)]
        self.bases, self.entered = [], {}
        for i in range(BASES):
            picked = r.sample(self.rules, r.randint(8, 16)) + r.sample(self.groups, r.randint(0, 3))
            r.shuffle(picked)
            actions = list(zip(sorted(r.sample(range(1, 60000), len(picked))), picked))
            if r.random() < 0.7:
                actions.append((65000, self.any))
            b = Base(f"base{i}", actions, TAKES[i % len(TAKES)], self.pools)
            self.bases.append(b)
            self.entered[b.name] = r.sample(actions, len(actions))
        names = [x.name for x in self.rules + self.groups + [self.any]]
        self.eligible = set(r.sample(names, len(names) * 7 // 10))

    # --- rules ---

    def string(self, field, values, key=""):
        r = self.r
        op = r.choice(["=", "=", "contains", "starts-with", "ends-with", "!=", "!contains", "!starts-with",
                       "!ends-with", "regex", "present"])
        v = r.choice(values)
        i = r.randrange(len(v))
        want = {"contains": v[i:i + 4], "!contains": v[i:i + 4], "starts-with": v[:i + 1],
                "!starts-with": v[:i + 1], "ends-with": v[i:], "!ends-with": v[i:], "present": "",
                "regex": r.choice(["^www", "[.]mp4$", "v.d", "(shop|clip)", "item-[0-9]+$"])}.get(op, v)
        case = op != "present" and r.random() < 0.25
        if not case and r.random() < 0.3 and op != "regex":
            want = want.swapcase()
        return Line(field, op, want, key=key, case=case)

    def l7(self):
        r, urls = self.r, [h + p for h in HOSTS for p in PATHS]
        return r.choice([
            lambda: self.string("http host", HOSTS), lambda: self.string("http url", urls),
            lambda: self.string("http uri", PATHS), lambda: self.string("http user-agent", AGENTS),
            lambda: self.string("www host", HOSTS), lambda: self.string("www url", urls),
            lambda: Line("http request method", r.choice(["=", "!="]), r.choice(METHODS).lower()),
            lambda: Line("http any-match", "=", "TRUE"),
            lambda: self.string("http x-header", CLASSES, "X-Class"),
            lambda: self.string("http attribute-in-url", ["4711", "11"], "id"),
            lambda: self.string("tls sni", NAMES), lambda: Line("secure-http any-match", "=", "TRUE"),
            lambda: self.string("dns query-name", NAMES), lambda: Line("dns any-match", "=", "TRUE")])()

    def address(self):
        r = self.r
        field = "ip " + r.choice(["src-address", "dst-address", "server-ip-address", "subscriber-ip-address"])
        if r.random() < 0.35:
            return Line(field, r.choice(["range", "!range"]), pool=r.choice(["near", "nets", "nobody"]))
        six = r.random() < 0.4
        value = server(r, six) if r.random() < 0.7 else (sub6 if six else sub4)(r.randrange(BASES))
        if r.random() < 0.4:
            length = r.choice([48, 64, 126, 128] if six else [8, 24, 29, 30, 32])
            value = str(ipaddress.ip_network(f"{value}/{length}", strict=False))
            return Line(field, r.choice(["=", "!="]), value)
        return Line(field, r.choice(["=", "!=", "<=", ">="]), value)

    def port(self):
        r = self.r
        field = f"{r.choice(['tcp', 'udp'])} {r.choice(['src', 'dst', 'either', 'dst', 'either'])}-port"
        kind = r.random()
        if kind < 0.25:
            return Line(field, r.choice(["range", "!range"]), pool=r.choice(["games", "web", "nobody"]))
        if kind < 0.5:
            a, b = sorted(r.sample(PORTS, 2))
            return Line(field, r.choice(["range", "range", "!range"]), a, b)
        return Line(field, r.choice(["=", "=", "=", "!=", "<=", ">="]), r.choice(PORTS))

    def l34(self):
        r = self.r
        return r.choice([
            self.address, self.port, self.port,
            lambda: Line("ip protocol", r.choice(["=", "=", "!=", ">="]), r.choice([1, 6, 17, 58, *PROTOS])),
            lambda: Line("ip version", r.choice(["=", "!="]), r.choice(["ipv4", "ipv6"])),
            lambda: Line(r.choice(["ip uplink", "ip downlink"]), "=", "TRUE"),
            lambda: Line(r.choice(["tcp", "udp", "icmp"]) + " any-match", "=", r.choice(["TRUE", "TRUE", "FALSE"]))])()

    def rule(self, i):
        r = self.r
        any_line = r.random() < 0.3
        lines = [self.l7() if r.random() < 0.6 else self.l34()
                 for _ in range(r.randint(2, 4) if any_line else r.choice([1, 1, 2, 3]))]
        return Rule(f"r{i}", lines, any_line)

    # --- configuration ---

    def config(self):
        out = ["  active-charging service ecs", "    idle-timeout tcp 3600", "    idle-timeout udp 3600",
               "    idle-timeout icmp 3600", "    system-limit flow-chkpt-per-call 300",
               "    charging-action count", "      content-id 1", "    #exit"]
        for name, ranges in self.pools.items():
            ports = isinstance(ranges[0][0], int)
            out.append(f"    {'port-map' if ports else 'host-pool'} {name}")
            for a, b in ranges:
                word = "port" if ports else "ip"
                out.append(f"      {word} {a}" if a == b else f"      {word} range {a} to {b}")
            out.append("    #exit")
        for x in self.rules + [self.any] + self.groups:
            out += x.config()
        for b in self.bases:
            base = b.config(self.entered[b.name])
            out += base[:-1] + ["      tcp 2msl-timeout 20"] + base[-1:]
        out += ["    rulebase gold", "    #exit", "    trigger-action recover", "      flow-recovery", "    #exit"]
        names = sorted(self.eligible)
        parts = [names[i:i + 15] for i in range(0, len(names), 15)]
        for i, part in enumerate(parts):
            out += [f"    trigger-condition part{i}"] + [f"      rule-name = {n}" for n in part] + ["    #exit"]
        out += ["    service-scheme scheme", "      trigger flow-create"] + \
            [f"        priority {i + 1} trigger-condition part{i} trigger-action recover"
             for i in range(len(parts))] + ["      #exit", "    #exit"]
        return "\n".join(out + [
            "    subs-class everybody", "      any-match = TRUE", "    #exit", "    subscriber-base default",
            "      priority 1 subs-class everybody bind service-scheme scheme", "    #exit", "  #exit", "end"]) + "\n"


# --- packets ---------------------------------------------------------------------------------------

class Talk:
    """A conversation of subscriber k: packets() gives (uplink, packet) one after the other."""

    def __init__(self, r, k, sport):
        self.r, self.k, self.sport = r, k, sport
        self.six = r.random() < 0.4
        self.sub = sub6(k) if self.six else sub4(k)
        self.server = server(r, self.six)
        self.kind = r.choice(["http"] * 6 + ["tls", "tls", "plain", "middle", "dns", "dns", "udp", "udp",
                              "icmp", "proto"])
        self.seq = {True: r.getrandbits(32), False: r.getrandbits(32)}

    def ip(self, up, proto, data):
        src, dst = (self.sub, self.server) if up else (self.server, self.sub)
        src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
        if self.six:
            return up, struct.pack("!IHBB", 0x60000000, len(data), proto, 60) + src + dst + data
        return up, struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), self.r.getrandbits(16), 0, 60, proto, 0) + \
            src + dst + data

    # --- TCP ---

    def segment(self, up, flags, data=b"", seq=None):
        ports = (self.sport, self.dport) if up else (self.dport, self.sport)
        at = self.seq[up] if seq is None else seq
        if seq is None:
            self.seq[up] = (at + len(data) + bool(flags & (SYN | FIN))) & 0xffffffff
        ack = self.seq[not up] if flags & ACK else 0
        return self.ip(up, 6, struct.pack("!HHIIBBHHH", *ports, at, ack, 0x50, flags, 8192, 0, 0) + data)

    def handshake(self):
        yield self.segment(True, SYN)
        yield self.segment(False, SYN | ACK)
        yield self.segment(True, ACK)

    def say(self, data):
        """The client's bytes, in one segment or several, in order or not, once or twice."""
        cut = sorted(self.r.sample(range(1, len(data)), self.r.choice([0, 0, 1, 2]))) if len(data) > 3 else []
        parts = [data[a:b] for a, b in zip([0] + cut, cut + [len(data)])]
        sent, at = [], self.seq[True]
        for x in parts:
            sent.append((at, x))
            at = (at + len(x)) & 0xffffffff
        if len(sent) > 1 and self.r.random() < 0.3:
            sent[-2:] = reversed(sent[-2:])
        if self.r.random() < 0.15:
            sent.append(self.r.choice(sent))
        for seq, x in sent:
            yield self.segment(True, PUSH | ACK, x, seq)
            if self.r.random() < 0.5:
                yield self.segment(False, ACK)
        self.seq[True] = at

    def answer(self):
        yield self.segment(False, PUSH | ACK, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        if self.r.random() < 0.7:
            yield self.segment(True, ACK)

    def request(self):
        r = self.r
        method = r.choice(METHODS)
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
        yield self.segment(first, ACK)

    def http(self):
        self.dport = self.r.choice([80, 80, 8080, 7002])
        yield from self.handshake()
        for _ in range(self.r.randint(1, 4)):
            yield from self.say(self.request())
            yield from self.answer()
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

    def middle(self):
        self.dport = self.r.choice([80, 443])
        for _ in range(3):
            yield self.segment(True, PUSH | ACK, self.request())
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

    def udp(self):
        dport = self.r.choice([p for p in PORTS if p != 53])
        first = self.r.random() < 0.8
        for i in range(self.r.randint(2, 8)):
            up = first if i == 0 else self.r.random() < 0.5
            yield self.datagram(up, self.r.randbytes(self.r.randint(0, 400)), dport)

    def icmp(self):
        kinds = (128, 129) if self.six else (8, 0)
        for i in range(self.r.randint(1, 4)):
            m = struct.pack("!BBHHH", kinds[i % 2], 0, 0, self.sport, i) + self.r.randbytes(20)
            yield self.ip(i % 2 == 0, 58 if self.six else 1, m[:2] + struct.pack("!H", checksum(m)) + m[4:])

    def proto(self):
        number = self.r.choice(PROTOS)
        for i in range(self.r.randint(1, 5)):
            yield self.ip(i == 0 or self.r.random() < 0.5, number, self.r.randbytes(40 + i))

    def packets(self):
        return getattr(self, self.kind)()


if __name__ == "__main__":
    sys.stdout.write(World(int(sys.argv[1])).config())
