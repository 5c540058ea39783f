"""ruletable: a table of ruledefs and the traffic that they must and must not match, each ruledef in
a rulebase and with a subscriber of its own: printed as configuration, and run.

A row: (name, lines of the ruledef, what matches, what does not). What is sent is a tuple: the name
of a sender below, and its arguments."""
import os
import socket
import ssl
import struct
import sys

from bed import turns


def hello(name):
    """The first flight of a TLS client, as OpenSSL makes it."""
    inp, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = context.wrap_bio(inp, out, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def question(name):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def configuration(table):
    out = ["  active-charging service ecs", "    charging-action hit", "      content-id 1",
           "    #exit",
           "    charging-action rest", "      content-id 2", "    #exit",
           "    ruledef any", "      ip any-match = TRUE", "    #exit"]
    for name, lines, _, _ in table:
        out += [f"    ruledef {name}"] + [f"      {x}" for x in lines] + ["    #exit"]
    for name, _, _, _ in table:
        out += [f"    rulebase {name}",
                f"      action priority 10 ruledef {name} charging-action hit",
                "      action priority 20 ruledef any charging-action rest", "    #exit"]
    out += ["    rulebase gold", "      action priority 1 ruledef any charging-action rest",
            "    #exit",
            "  #exit", "end"]
    return "\n".join(out) + "\n"


class Runner:
    def __init__(self, t):
        from traffic import sub4, sub6, v4, v6
        self.t, self.sub4, self.sub6, self.v4, self.v6 = t, sub4, sub6, v4, v6
        self.sub = 0
        self.port = 30000
        self.listeners = {}
        self.kept = []  # open to the end: what is closed sends packets of its own

    def ends(self, six, last):
        return (self.sub6(self.sub), self.v6(last)) if six else (self.sub4(self.sub), self.v4(last))

    def next_port(self):
        self.port += 1
        return self.port

    # --- senders: each gives the filter of the flow it made ---

    def tcp(self, data=None, port=8000, sport=0, last=10, six=False, answer=b"answer"):
        sub, server = self.ends(six, last)
        if (server, port) not in self.listeners:
            self.listeners[server, port] = self.t.listen("srv", server, port)
        c, s = self.t.connect(self.listeners[server, port], "ue", sub, sport)
        if data:
            from traffic import push
            push(c, s, data)
            push(s, c, answer)
        self.kept.append((c, s))
        return {"protocol": 6, "subscriber": sub, "subscriber_port": c.getsockname()[1],
                "server": server}

    def http(self, host, path="/", ua=None, six=False):
        lines = [f"GET {path} HTTP/1.1"] + ([f"Host: {host}"] if host else []) + \
            ([f"User-Agent: {ua}"] if ua else [])
        return self.tcp("\r\n".join(lines + ["", ""]).encode(), 80, six=six,
                        answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def tls(self, name, six=False):
        return self.tcp(hello(name), 443, six=six, answer=b"\x15\x03\x01\0\2\2\x28")

    def udp(self, port=7000, sport=0, data=b"datagram", last=20, six=False, down=False):
        from traffic import echo
        sub, server = self.ends(six, last)
        c, s = self.t.socket("ue", sub, sport or self.next_port()), self.t.socket("srv", server,
                port)
        if down:
            echo(s, c, data, (sub, c.getsockname()[1]))
        else:
            echo(c, s, data, (server, port))
        return {"protocol": 17, "subscriber": sub, "subscriber_port": c.getsockname()[1],
                "server": server}

    def dns(self, name, tcp=False, six=False):
        if tcp:
            q = question(name)
            return self.tcp(struct.pack("!H", len(q)) + q, 53, six=six)
        return self.udp(53, data=question(name), six=six)

    def icmp(self, kind=8, code=0, last=30, six=False):
        """A message to a server of any type; the kernel there answers what it likes."""
        sub, server = self.ends(six, last)
        ident = self.next_port() & 0xffff
        proto = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
        raw = self.t.socket("ue", sub, 0, socket.SOCK_RAW, proto)
        m = struct.pack("!BBHHH", kind, code, 0, ident, 1) + bytes(16)
        if not six:
            m = m[:2] + struct.pack("!H", checksum(m)) + m[4:]
        raw.sendto(m, (server, 0))
        return {"protocol": 58 if six else 1, "subscriber": sub, "server": server,
                "subscriber_port": ident} \
            if kind in (8, 128) else {"protocol": 58 if six else 1, "subscriber": sub,
                                      "server": server}

    def proto(self, number, last=40, six=False):
        sub, server = self.ends(six, last)
        raw = self.t.socket("ue", sub, 0, socket.SOCK_RAW, number)
        raw.sendto(bytes(40), (server, 0))
        return {"protocol": number, "subscriber": sub, "server": server}

    # --- a row ---

    def send(self, sent):
        """Sends; what is said of it, and the filter of the flow it made."""
        args = [x for x in sent[1:] if not isinstance(x, dict)]
        named = dict(x for d in sent[1:] if isinstance(d, dict) for x in d.items())
        return f"{sent[0]} {' '.join(map(str, args))} {named or ''}", getattr(self, sent[0])(*args,
                **named)

    def phase(self, row, sends, want):
        """All that the row must match, or must not: the rules of the flows, and the volumes."""
        t = self.t
        made = [self.send(x) for x in sends]

        def rules():
            flows = t.flows("a", callid=self.call)
            return [[f["rule"] for f in flows if all(f[k] == v for k, v in m[1].items())]
                    for m in made]
        for _ in turns(10):
            got = rules()
            if got == [[want]] * len(made):
                break
        for (text, _), rule in zip(made, got):
            t.equal(rule, [want], f"{row}: {text} -> {want}")
        after = t.volumes("a", callid=self.call)
        grown = {n for n in after if after[n] != self.volumes.get(n, (0,) * 4)}
        # set-up packets of a connection are charged before it is known
        t.check(not made or (want in grown and grown <= {want, "any"}), f"{row}: charged to {want}",
                f"grew: {grown}")
        self.volumes = after
        t.ctl("a", f"clear active-charging flows callid {self.call}")

    def row(self, index, name, lines, yes, no):
        self.sub = index
        self.t.ctl("a", f"session add imsi 00101{index:010d} apn internet rulebase {name} "
                        f"ip-address {self.sub4(index)} ipv6-address {self.sub6(index)}")
        self.call = self.t.callid("a", v4=self.sub4(index))
        self.volumes = {}
        self.phase(name, yes, name)
        self.phase(name, no, "any")


def run(t, table):
    r = Runner(t)
    for i, (name, lines, yes, no) in enumerate(table, 1):
        r.row(i, name, lines, yes, no)


def load(path):
    scope = {}
    with open(path, encoding="utf-8") as f:
        exec(compile(f.read(), path, "exec"), scope)  # the test's own table
    return scope["TABLE"]


if __name__ == "__main__":
    sys.stdout.write(configuration(load(sys.argv[1])))
