"""oracle: says of captured packets which rule charges each of them. Slow and plain: every line of every
rule is looked at for every packet, texts are compared as texts, nothing is remembered but what a flow has
said. Random rulebases (Rules) and random conversations (Talk) for it, and the classifier (Oracle), which
reads frames and knows nothing of who made them."""
import ipaddress
import re
import struct

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
NO_RULE = "(no rule)"
MAYBE = None                     # neither True nor False, as long as not all is said


# --- packets ---------------------------------------------------------------------------------------

class Packet:
    """An IP packet; up: from the subscriber."""

    def __init__(self, data, is_subscriber):
        self.six = data[0] >> 4 == 6
        if self.six:
            self.size = struct.unpack_from("!H", data, 4)[0] + 40
            self.proto, rest = data[6], data[40:self.size]
            src, dst = data[8:24], data[24:40]
        else:
            head = (data[0] & 15) * 4
            self.size = struct.unpack_from("!H", data, 2)[0]
            self.proto, rest = data[9], data[head:self.size]
            src, dst = data[12:16], data[16:20]
        self.src, self.dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
        self.up = is_subscriber(self.src)
        self.sport = self.dport = self.seq = self.ack = self.flags = 0
        self.payload = b""
        if self.proto == TCP:
            self.sport, self.dport, self.seq, self.ack = struct.unpack_from("!HHII", rest)
            self.flags = rest[13]
            self.payload = rest[(rest[12] >> 4) * 4:]
        elif self.proto == UDP:
            self.sport, self.dport = struct.unpack_from("!HH", rest)
            self.payload = rest[8:]
        elif self.proto in (ICMP, ICMP6):
            self.sport = self.dport = struct.unpack_from("!H", rest, 4)[0]  # of an echo

    def key(self):
        a, b = (self.src, self.sport), (self.dst, self.dport)
        return (self.proto, *(a + b if self.up else b + a))


# --- what lines say --------------------------------------------------------------------------------

def number(op, value, a, b):
    if op.endswith("range"):
        return (a <= value <= b) == (op == "range")
    return {"=": value == a, "!=": value != a, "<=": value <= a, ">=": value >= a}[op]


def address(op, value, a, b):
    """A prefix is all of its addresses; addresses of the other family are in nothing."""
    net = ipaddress.ip_network(a, strict=False)
    if value.version != net.version:
        inside = False
    elif b:
        inside = ipaddress.ip_address(a) <= value <= ipaddress.ip_address(b)
    elif op == "<=":
        inside = value <= net[0]
    elif op == ">=":
        inside = value >= net[0]
    else:
        inside = value in net
    return not inside if op.startswith("!") else inside


def text(op, value, want, case):
    """None: the field is not there."""
    if op == "present":
        return value is not None
    if value is None:
        return False
    if not case:
        value, want = value.lower(), want.lower()
    name = op[1:] if op.startswith("!") and op != "!=" else op
    hit = {"=": value == want, "!=": value != want, "contains": want in value,
           "starts-with": value.startswith(want), "ends-with": value.endswith(want),
           "regex": bool(re.search(want, value)) if name == "regex" else None}[name]
    return not hit if name != op else hit


class Line:
    """field [key] [case-sensitive] op a [to b], or op pool NAME."""

    def __init__(self, field, op, a="", b="", key="", case=False, pool=None):
        self.field, self.op, self.a, self.b, self.key, self.case, self.pool = field, op, a, b, key, case, pool

    def config(self):
        words = [self.field, self.key, "case-sensitive" if self.case else "", self.op]
        if self.pool:
            words.append(("host-pool " if "address" in self.field else "port-map ") + self.pool)
        elif self.a != "":
            words.append(f'"{self.a}"' if self.is_text() else str(self.a))
        if self.b != "":
            words += ["to", str(self.b)]
        return " ".join(w for w in words if w)

    def is_text(self):
        return self.field.split()[0] in ("http", "www", "tls", "dns") and "any-match" not in self.field \
            and "method" not in self.field

    def l34(self):
        return self.field.split()[0] in ("ip", "tcp", "udp", "icmp")

    def of_pool(self, pools, value):
        if self.pool not in pools:
            return False
        if isinstance(value, int):
            hit = any(lo <= value <= hi for lo, hi in pools[self.pool])
        else:
            hit = any(address("=", value, a, b) for a, b in pools[self.pool])
        return not hit if self.op == "!range" else hit

    def addr(self, pools, value):
        return self.of_pool(pools, value) if self.pool else address(self.op, value, self.a, self.b)

    def port(self, pools, values):
        """either-port: one of them is it; what is denied is that."""
        positive = Line(self.field, self.op.lstrip("!"), self.a, self.b, pool=self.pool)
        hit = any(positive.of_pool(pools, v) if self.pool else
                  number(positive.op, v, self.a, self.b) for v in values)
        if self.pool and self.pool not in pools:
            return False
        return not hit if self.op.startswith("!") else hit

    def l3(self, p, pools):
        word = self.field.split()[1]
        if word == "any-match":
            return self.a == "TRUE"
        if word == "version":
            return number(self.op, 6 if p.six else 4, int(self.a[3]), None)
        if word == "protocol":
            return number(self.op, p.proto, self.a, None)
        if word in ("uplink", "downlink"):
            return (p.up == (word == "uplink")) == (self.a == "TRUE")
        return self.addr(pools, {"src-address": p.src, "dst-address": p.dst,
                                 "server-ip-address": p.dst if p.up else p.src,
                                 "subscriber-ip-address": p.src if p.up else p.dst}[word])

    def l4(self, p, pools):
        proto, word = self.field.split()
        mine = {"tcp": p.proto == TCP, "udp": p.proto == UDP, "icmp": p.proto in (ICMP, ICMP6)}[proto]
        if word == "any-match":
            return mine == (self.a == "TRUE")
        return mine and self.port(pools, {"src-port": [p.sport], "dst-port": [p.dport],
                                          "either-port": [p.sport, p.dport]}[word])

    def l7(self, said):
        """said: what the flow has said, by field; None: it is not to be asked. MAYBE: it may still be said."""
        if said is None:
            return False
        if "any-match" in self.field:
            value = said.get(self.field.split()[0])
        else:
            value = said.get(self.field.replace("www", "http"))
        if self.key:
            value = (value or {}).get(self.key.lower())
        if value is None:
            return False if said.get("all") else MAYBE
        if "any-match" in self.field:
            return True
        if self.field == "http request method":
            return (value == self.a) == (self.op == "=")
        return text(self.op, value, self.a, self.case)

    def match(self, p, said, pools):
        if not self.l34():
            return self.l7(said)
        return self.l3(p, pools) if self.field.startswith("ip ") else self.l4(p, pools)


class Rule:
    def __init__(self, name, lines, any_line=False):
        self.name, self.lines, self.any_line = name, lines, any_line

    def l34(self):
        return bool(self.lines) and all(x.l34() for x in self.lines)

    def match(self, p, said, pools):
        found = [x.match(p, said, pools) for x in self.lines]
        decides = self.any_line  # the answer of a line that decides alone
        if not found:
            return False
        if decides in found:
            return decides
        return MAYBE if MAYBE in found else not decides

    def config(self):
        return [f"    ruledef {self.name}"] + [f"      {x.config()}" for x in self.lines] + \
            (["      multi-line-or all-lines"] if self.any_line else []) + ["    #exit"]


class Group:
    """members: (priority, rule)."""

    def __init__(self, name, members):
        self.name, self.members = name, members

    def l34(self):
        return bool(self.members) and all(r.l34() for _, r in self.members)

    def match(self, p, said, pools):
        found = [r.match(p, said, pools) for _, r in sorted(self.members, key=lambda m: m[0])]
        return True if True in found else MAYBE if MAYBE in found else False

    def config(self):
        return [f"    group-of-ruledefs {self.name}"] + \
            [f"      add-ruledef priority {n} ruledef {r.name}" for n, r in self.members] + ["    #exit"]


class Base:
    """A rulebase: (priority, rule or group); takes: which packets without payload are the application's."""

    def __init__(self, name, actions, takes, pools):
        self.name, self.actions, self.takes, self.pools = name, sorted(actions, key=lambda a: a[0]), takes, pools

    def find(self, p, said, l34=False):
        """The rule of a packet, or None, and whether another could still be found; l34: of those whose lines
        are all of L3 and L4."""
        maybe = False
        for _, r in self.actions:
            if l34 and not r.l34():
                continue
            found = r.match(p, None if l34 else said, self.pools)
            if found:
                return r, maybe
            maybe = maybe or found is MAYBE
        return None, maybe

    def l7(self):
        """Whether its rules ask what connections say."""
        return not all(x.field.startswith("dns") or x.l34() for _, r in self.actions
                       for m in (r.members if isinstance(r, Group) else [(0, r)]) for x in m[1].lines)

    def config(self, entered):
        return [f"    rulebase {self.name}"] + \
            [f"      action priority {n} {'group-of-ruledefs' if isinstance(r, Group) else 'ruledef'} {r.name} "
             f"charging-action count" for n, r in entered] + \
            (["      flow control-handshaking charge-to-application " + " ".join(sorted(self.takes))]
             if self.takes else []) + ["    #exit"]


# --- what flows say --------------------------------------------------------------------------------

METHODS = ("connect", "delete", "get", "head", "options", "patch", "post", "put", "trace")


def read_request(head):
    """The fields of a request by its header; None: it is none."""
    lines = head.decode("latin-1").split("\r\n")
    m = re.fullmatch(r"([!-~]+) (\S+) HTTP/1\.[01]", lines[0])
    if not m:
        return None
    fields = {}
    for x in lines[1:]:
        name, colon, value = x.partition(":")
        if colon:
            fields.setdefault(name.lower(), value.strip())
    host = fields.get("host", "").partition(":")[0] or None
    path = m[2]
    attributes = {}
    for pair in path.partition("?")[2].partition("#")[0].split("&"):
        name, _, value = pair.partition("=")
        if name:
            attributes.setdefault(name.lower(), value)
    method = m[1].lower()
    return {"http": True, "http host": host, "http url": (host or "") + path, "http uri": path,
            "http user-agent": fields.get("user-agent"), "http x-header": fields,
            "http attribute-in-url": attributes,
            "http request method": method if method in METHODS else None,
            "length": int(fields.get("content-length", "0"))}


def read_hello(data):
    """server_name of the ClientHello at the beginning of a stream, as soon as it is there; "" where it has
    none; None: not yet."""
    try:
        size = struct.unpack_from("!H", data, 3)[0]
        h = data[5:5 + size]
        at = 38
        at += 1 + h[at]
        at += 2 + struct.unpack_from("!H", h, at)[0]
        at += 1 + h[at]
        end = at + 2 + struct.unpack_from("!H", h, at)[0]
        at += 2
        while at < end:
            kind, n = struct.unpack_from("!HH", h, at)
            if len(h) < at + 4 + n:
                return None
            if kind == 0:
                n = struct.unpack_from("!H", h, at + 7)[0]
                return h[at + 9:at + 9 + n].decode("latin-1")
            at += 4 + n
        return ""
    except (struct.error, IndexError):
        return None


def read_question(data):
    """The name that a DNS message is about: an answer has the question too."""
    if len(data) < 12 or struct.unpack_from("!H", data, 4)[0] == 0:
        return None
    at, labels = 12, []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels)


def ahead_of(seq, other):
    """How far a sequence number is ahead of another."""
    return (seq - other + 2**31) % 2**32 - 2**31


class Flow:
    """What one flow has said, and how it stands."""

    def __init__(self, p):
        self.first_up = p.up
        self.begun = p.proto != TCP or bool(p.flags & SYN)  # seen from its beginning
        self.open = not (p.proto == TCP and p.flags & SYN)  # the handshake is over
        self.said = {}                # by field; "all": there will be no more of it
        self.isn = p.seq
        self.fins = set()             # directions that have ended
        self.segments = {}            # of the opener, not read yet, by sequence number
        answer = p.proto == TCP and p.flags & (SYN | ACK) == SYN | ACK
        self.opener_up = p.up != answer
        self.next = p.ack if answer else (p.seq + 1) & 0xffffffff  # of the opener
        self.stream = b""             # as far as it is whole, not read yet
        self.skip = 0                 # bytes of a request's body to come
        self.plain = False            # it says nothing that is understood, or nothing more
        self.data = False             # there was payload
        self.closing = False
        self.final = False
        self.held = []                # packets that wait for the application
        self.verdict = {}             # by direction
        self.kept = None              # after a recovery: rules by direction
        self.rests = False            # its last packet was of no application
        self.taken_up = False         # after a recovery it goes on as a new one: it had not begun

    def over(self, p):
        """A SYN begins another connection: after both FINs, or where only the middle of one was seen."""
        return p.proto == TCP and p.flags & (SYN | ACK | RST) == SYN and \
            (len(self.fins) == 2 or (not self.begun and self.kept is None)) and \
            (not self.begun or ahead_of(p.seq, self.isn) != 0)

    def hear(self, p):
        """Reads the payload of a packet."""
        if p.proto == UDP and p.up == self.opener_up and (p.dport if p.up else p.sport) == 53:
            name = read_question(p.payload)
            if name is not None:
                self.said = {"dns": True, "dns query-name": name}
        if p.proto != TCP:
            self.said["all"] = True
        elif p.payload:
            self.data = True
            if p.up == self.opener_up:
                self.segments[p.seq] = p.payload
                self.order()

    def order(self):
        """Puts segments into the stream; what was there before is left out."""
        for seq in sorted(self.segments, key=lambda n: ahead_of(n, self.next)):
            ahead = ahead_of(seq, self.next)
            if ahead > 0:
                break
            data = self.segments.pop(seq)[-ahead:]
            self.next = (self.next + len(data)) & 0xffffffff
            self.stream += data
        self.read()

    def read(self):
        if self.plain or not self.stream:
            return
        if self.stream[:1] == b"\x16" and not self.said:
            name = read_hello(self.stream)
            if name is not None:
                self.said = {"secure-http": True, "tls sni": name or None, "all": True}
                self.plain = True
            return
        while self.stream:
            n = min(self.skip, len(self.stream))
            self.skip -= n
            self.stream = self.stream[n:]
            end = self.stream.find(b"\r\n\r\n")
            said = read_request(self.stream[:end]) if end >= 0 else None
            if self.stream and (not re.match(rb"[A-Z]{1,16}( |$)", self.stream) or (end >= 0 and not said)):
                self.plain = self.said["all"] = True
            if not said:
                return
            self.said, self.skip = {**said, "all": True}, said["length"]
            self.stream = self.stream[end + 4:]


class Oracle:
    """Classifies the packets of all subscribers. bases: rulebase by subscriber's address; eligible: names
    of rules that recovery is for."""

    def __init__(self, bases, eligible):
        self.bases, self.eligible = bases, eligible
        self.flows = {}
        self.charged = {}        # by rulebase and rule: packets up, bytes up, packets down, bytes down

    def charge(self, base, rule, p):
        v = self.charged.setdefault((base.name, rule.name if rule else NO_RULE), [0, 0, 0, 0])
        v[0 if p.up else 2] += 1
        v[1 if p.up else 3] += p.size

    def packet(self, data):
        """Charges an IP packet; its flow, and the name of its rule, None while it waits."""
        p = Packet(data, lambda a: a in self.bases)
        base = self.bases.get(p.src if p.up else p.dst)
        if base is None:
            return None, None
        f = self.flows.get(p.key())
        if f is None or f.over(p):
            f = self.flows[p.key()] = Flow(p)
        rule, waits = self.rule_of(base, f, p)
        f.closing = f.closing or (p.proto == TCP and bool(p.flags & (FIN | RST)))
        if p.proto == TCP and p.flags & FIN:
            f.fins.add(p.up)
        if waits:
            f.held.append(p)
            return f, None
        if f.final and f.held:
            for h in f.held:
                self.charge(base, f.verdict[h.up], h)
            f.held = []
        self.charge(base, rule, p)
        if p.proto == TCP and p.flags & RST:
            del self.flows[p.key()]
        return f, rule.name if rule else NO_RULE

    def rule_of(self, base, f, p):
        """The rule that a packet is charged to; or that it waits for what the application says."""
        if f.taken_up and not p.flags & (SYN | RST):
            # what is behind the beginning tells that this has gone by unseen
            if ahead_of(p.seq if p.up == f.opener_up else p.ack, f.next) > 0:
                f.kept = f.verdict
            f.taken_up = not p.payload and not p.flags & FIN
        if f.kept is not None:
            return f.kept[p.up], False
        f.open = f.open or (p.up == f.opener_up and p.flags & (SYN | ACK) == ACK)
        if f.begun:
            f.hear(p)
        rule, maybe = base.find(p, f.said, not f.begun)
        other, maybe_back = base.find(mirrored(p), f.said, not f.begun)
        f.verdict = {p.up: rule, not p.up: other}
        f.final = f.final or (f.open and not maybe and not maybe_back)
        f.rests = False
        if p.proto != TCP or p.payload or not f.begun:
            return rule, False
        if not f.final:
            return rule, base.l7() and bool(base.takes & {"all-packets", "initial-packets"})
        if rule is not None and not rule.l34() and "all-packets" not in base.takes and \
                ("tear-down-packets" if f.closing or p.flags & (FIN | RST) else
                 "mid-session-packets") not in base.takes:
            rule = base.find(p, None, True)[0]
            f.rests = rule is None or rule.name not in self.eligible
        return rule, False

    def recovery(self):
        """A switchover, or the death of a session manager. Flows of eligible rules keep them; of others
        nobody knows any more. A connection in which nobody has spoken yet goes on as a new one. How many
        flows are known still."""
        kept = 0
        for key, f in list(self.flows.items()):
            own = f.verdict[f.first_up]
            known = f.kept is not None or (own is not None and own.name in self.eligible and not f.rests)
            kept += known
            if not known:
                del self.flows[key]
            elif f.final or f.data:
                f.kept = f.kept or f.verdict
            else:
                f.taken_up = True
        return kept


def mirrored(p):
    """The same packet as if it went the other way."""
    m = Packet.__new__(Packet)
    m.__dict__.update(p.__dict__, src=p.dst, dst=p.src, sport=p.dport, dport=p.sport, up=not p.up)
    return m
