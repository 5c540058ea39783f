"""oracle_rules: ruledefs, groups, rulebases, and rules and bearers that a call is given at run time, as the
manual says that they match. Every line of every rule is looked at for every packet; texts are compared as
texts."""
import ipaddress
import re

from oracle_packet import ICMP, ICMP6, TCP, UDP

MAYBE = None                     # neither True nor False, as long as not all is said
APPS = ("ssh",)


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


def source(field):
    """Who says it: of a line, the word by which a flow tells that it may still be said."""
    if field in ("http reply code", "http content type"):
        return "reply"
    if field == "p2p protocol":
        return "app"
    if field.startswith("p2p app-identifier "):
        return field.split()[2].split("-")[0]
    return {"www": "http", "secure-http": "tls"}.get(field.split()[0], field.split()[0])


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
        return not self.l34() and not re.search("any-match|method|code|p2p protocol", self.field)

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

    def l4(self, p, pools, state):
        """A later fragment has neither ports nor a type; a packet of no connection has no state."""
        proto, word = self.field.split()
        mine = {"tcp": p.proto == TCP, "udp": p.proto == UDP, "icmp": p.proto in (ICMP, ICMP6)}[proto]
        if word == "any-match":
            return mine == (self.a == "TRUE")
        if word == "state":
            return mine and state is not None and (state == self.a) == (self.op == "=")
        if not mine or p.frag == "later":
            return False
        if word == "type":
            return number(self.op, p.icmp_type, self.a, None)
        return self.port(pools, {"src-port": [p.sport], "dst-port": [p.dport],
                                 "either-port": [p.sport, p.dport]}[word])

    def l7(self, said, may):
        """said: what the flow has said, by field; None: it is not to be asked. may: who may still speak."""
        if said is None:
            return False
        value = said.get(source(self.field) if "any-match" in self.field else self.field.replace("www", "http"))
        if self.key:
            value = (value or {}).get(self.key.lower())
        if value is None:
            return MAYBE if source(self.field) in may else False
        if "any-match" in self.field:
            return True
        if self.field in ("http request method", "p2p protocol"):
            return (value == self.a) == (self.op == "=")
        if self.field == "http reply code":
            return number(self.op, value, self.a, None)
        return text(self.op, value, self.a, self.case)

    def match(self, p, said, may, pools, state):
        if not self.l34():
            return self.l7(said, may)
        return self.l3(p, pools) if self.field.startswith("ip ") else self.l4(p, pools, state)


class Rule:
    def __init__(self, name, lines, any_line=False, application="charging"):
        self.name, self.lines, self.any_line, self.application = name, lines, any_line, application

    def all_lines(self):
        return self.lines

    def l34(self):
        return bool(self.lines) and all(x.l34() for x in self.lines)

    def match(self, *about):
        found = [x.match(*about) for x in self.lines]
        decides = self.any_line  # the answer of a line that decides alone
        if not found:
            return False
        if decides in found:
            return decides
        return MAYBE if MAYBE in found else not decides

    def config(self):
        return [f"    ruledef {self.name}"] + \
            ([f"      rule-application {self.application}"] if self.application != "charging" else []) + \
            [f"      {x.config()}" for x in self.lines] + \
            (["      multi-line-or all-lines"] if self.any_line else []) + ["    #exit"]


class Group:
    """members: (priority, rule)."""

    def __init__(self, name, members):
        self.name, self.members = name, members

    def all_lines(self):
        return [x for _, r in self.members for x in r.lines]

    def l34(self):
        return bool(self.members) and all(r.l34() for _, r in self.members)

    def match(self, *about):
        found = [r.match(*about) for _, r in sorted(self.members, key=lambda m: m[0])]
        return True if True in found else MAYBE if MAYBE in found else False

    def config(self):
        return [f"    group-of-ruledefs {self.name}"] + \
            [f"      add-ruledef priority {n} ruledef {r.name}" for n, r in self.members] + ["    #exit"]


class Action:
    """A line `action priority` or `post-processing priority` of a rulebase."""

    def __init__(self, priority, rule, kind="", does="count"):
        self.priority, self.rule, self.kind, self.does = priority, rule, kind, does
        self.name = rule.name

    def l34(self):
        return self.rule.l34()

    def stops(self, up):
        return self.does in ("drop", "end", "drop-up" if up else "drop-down")

    def config(self, words="action priority"):
        what = "group-of-ruledefs" if isinstance(self.rule, Group) else "ruledef"
        kind = self.kind + " " if self.kind else ""
        return f"      {words} {self.priority} {kind}{what} {self.name} charging-action {self.does}"


class Base:
    """A rulebase. takes: which packets without payload are the application's; tied: `dynamic-rule order
    first-if-tied`; post: lines of post-processing."""

    def __init__(self, name, actions, takes, pools, tied=False, post=()):
        self.name, self.takes, self.pools, self.tied = name, takes, pools, tied
        self.actions = sorted((a if isinstance(a, Action) else Action(*a) for a in actions),
                              key=lambda a: a.priority)
        self.post = sorted(post, key=lambda a: a.priority)

    def needs(self):
        """Whom its rules ask. Responses are those of requests."""
        asked = {source(x.field) for a in (*self.actions, *self.post) for x in a.rule.all_lines() if not x.l34()}
        return asked | ({"http"} if "reply" in asked else set())

    def post_l7(self):
        return any(not a.l34() for a in self.post)

    def config(self, entered):
        """entered: its lines in the order in which they are typed."""
        return [f"    rulebase {self.name}"] + [a.config() for a in entered] + \
            [a.config("post-processing priority") for a in self.post] + \
            (["      dynamic-rule order first-if-tied"] if self.tied else []) + \
            (["      flow control-handshaking charge-to-application " + " ".join(sorted(self.takes))]
             if self.takes else []) + ["    #exit"]


# --- what a call is given at run time --------------------------------------------------------------

class Filter:
    """A packet filter: protocol or None, server prefix or None, ranges of the server's and the subscriber's
    ports or None, direction or ""; precedence among the filters of all TFTs."""

    def __init__(self, proto, net=None, remote=None, local=None, direction="", precedence=None):
        self.proto, self.net, self.remote, self.local = proto, net, remote, local
        self.direction, self.precedence = direction, precedence

    def config(self):
        words = [self.direction, f"precedence {self.precedence}" if self.precedence is not None else "",
                 "ip" if self.proto is None else str(self.proto), self.net or "any"]
        for word, x in (("port", self.remote), ("local", self.local)):
            words.append(f"{word} {x[0]}-{x[1]}" if x else "")
        return " ".join(w for w in words if w)

    def match(self, key, up):
        proto, _, local, server, remote = key
        if self.direction and (self.direction == "uplink") != up:
            return False
        if self.proto is not None and self.proto != proto:
            return False
        if self.net and not address("=", server, self.net, ""):
            return False
        if not self.remote and not self.local:
            return True
        return proto in (TCP, UDP, 132) and all(
            not x or x[0] <= v <= x[1] for x, v in ((self.remote, remote), (self.local, local)))


class Given:
    """A dynamic rule of a call."""
    kind, does = "dynamic", "count"

    def __init__(self, name, precedence, filters, bearer=None, status="enabled"):
        self.name, self.precedence, self.filters = name, precedence, filters
        self.bearer, self.status = bearer, status

    def l34(self):
        return True

    def stops(self, up):
        return not passes(self.status, up)

    def match(self, key, up):
        return any(f.match(key, up) for f in self.filters)


def passes(status, up):
    return status == "enabled" or status == ("enabled-uplink" if up else "enabled-downlink")


class Call:
    """A session: its rulebase, the rules it was given (by name), the predefined ones that are active (name:
    (bearer or None, flow status)), its dedicated bearers (number: filters); pending: a control transaction goes on."""

    def __init__(self, base):
        self.base, self.given, self.active, self.bearers = base, {}, {}, {}
        self.pending = False

    def has_line(self, a):
        """Whether a line counts in this call."""
        if a.kind == "dynamic-only":
            return a.name in self.active
        if a.kind == "static-and-dynamic":
            return a.name in self.active or not (self.given or self.active)
        return True

    def still_has(self, rule, key, up):
        """Whether what a flow was matched to is there for it."""
        if isinstance(rule, Given):
            return self.given.get(rule.name) is rule and rule.match(key, up)
        return rule is None or self.has_line(rule)

    def tft(self, key, up):
        """The bearer whose TFT means a packet, by the precedence of filters."""
        found = [(f.precedence, n) for n, fs in self.bearers.items() for f in fs if f.match(key, up)]
        return min(found)[1] if found else None

    def dynamic(self, key, up):
        """The first dynamic rule that matches. Uplink packets of a TFT match only rules of that bearer, or of
        none."""
        tft = self.tft(key, up) if up else None
        for g in sorted(self.given.values(), key=lambda g: (g.precedence, g.name)):
            if g.match(key, up) and (tft is None or g.bearer in (None, tft)):
                return g
        return None

    def find(self, p, key, said, may, state=None, l34=False, dynamic=True):
        """The rule of a packet, or None, and whether another could still be found before it; l34: of those
        whose lines are all of L3 and L4."""
        given = self.dynamic(key, p.up) if dynamic else None
        if given and not self.base.tied:
            return given, False
        maybe = False
        for a in self.base.actions:
            if given and a.priority >= given.precedence:
                break
            if not self.has_line(a) or (l34 and not a.l34()):
                continue
            found = a.rule.match(p, None if l34 else said, may, self.base.pools, state)
            if found:
                return a, maybe
            maybe = maybe or found is MAYBE
        return given, maybe

    def find_post(self, p, said, may, state, l34):
        for a in self.base.post:
            if not (l34 and not a.l34()) and a.rule.match(p, None if l34 else said, may, self.base.pools, state):
                return a
        return None

    def comes_before(self, rule, line):
        """Whether a rule of L3 and L4 comes before a line."""
        if isinstance(rule, Given):
            return not self.base.tied or rule.precedence <= line.priority
        return rule is not None and rule.priority < line.priority

    def stops(self, rule, up):
        """Whether a rule lets a packet go no further."""
        if rule is None:
            return False
        status = "enabled" if isinstance(rule, Given) else self.active.get(rule.name, (None, "enabled"))[1]
        return rule.stops(up) or not passes(status, up)

    def carrier(self, rule, key, up):
        """The bearer that carries a packet."""
        tft = self.tft(key, up)
        bound = rule.bearer if isinstance(rule, Given) else self.active.get(rule.name, (None,))[0] if rule else None
        return (tft or bound if up else bound or tft) or 5
