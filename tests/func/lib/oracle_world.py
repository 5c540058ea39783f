"""oracle_world: all that a seed of the oracle's test gives: ruledefs, groups, rulebases, what is eligible, and
what calls are given at run time. As a program it prints the active-charging service of a seed:
oracle_world.py SEED."""
import ipaddress
import random
import sys

from oracle_rules import Action, Base, Filter, Given, Group, Line, Rule

BASES = 10
RULES = 52
GROUPS = 6
FIRST_SUB = 30               # of the bed's numbers: no host has these addresses
HOSTS = ["www.shop.test", "shop.test", "video.example", "CDN.video.example", "a.test"]
PATHS = ["/", "/catalogue/item-1", "/catalogue/item-22", "/clip.mp4", "/a?id=4711&x=1", "/a?id=11",
         "/b/c?X=2&id=4712", "/Catalogue/"]
AGENTS = ["curl/7.88", "Mozilla/5.0", "player 3"]
CLASSES = ["gold", "silver", "Golden"]
NAMES = ["cdn.video.example", "www.shop.test", "mail.a.test", "x.test"]
METHODS = ["GET", "POST", "HEAD", "PUT"]
CODES = [200, 204, 301, 404, 503]
TYPES = ["text/html", "image/png", "video/mp4", "Text/Plain"]
PORTS = [53, 80, 443, 5060, 7001, 7002, 7010, 8080]
PROTOS = [47, 50, 132]
STATES = ["syn-sent", "syn-received", "established", "fin-wait1", "fin-wait2", "close-wait", "last-ack", "closing",
          "time-wait", "close"]
TAKES = [set(), {"all-packets"}, {"initial-packets"}, {"mid-session-packets"},
         {"mid-session-packets", "tear-down-packets"}, {"tear-down-packets"},
         {"initial-packets", "mid-session-packets"}, {"all-packets", "tear-down-packets"}]
LASTS = range(90, 97)        # of servers
GIVEN = [f"d{i}" for i in range(6)]


def sub4(k):
    return f"10.45.0.{FIRST_SUB + k}"


def sub6(k):
    return f"2001:db8:45:{FIRST_SUB + k:x}::1"


def server(r, six):
    return f"2001:db8:99::{r.choice(LASTS)}" if six else f"198.51.100.{r.choice(LASTS)}"


class World:
    """Everything that a seed gives."""

    def __init__(self, seed):
        r = self.r = random.Random(seed)
        self.pools = {"near": [("198.51.100.90", "198.51.100.92"), ("2001:db8:99::90", "2001:db8:99::93")],
                      "nets": [("198.51.100.94", "198.51.100.95"), ("10.45.0.30", "10.45.0.33")],
                      "games": [(7001, 7001), (7005, 7011)], "web": [(80, 80), (8080, 8080), (443, 443)]}
        self.rules = [self.rule(f"r{i}") for i in range(RULES)]
        self.any = Rule("everything", [Line("ip any-match", "=", "TRUE")])
        self.shell = Rule("shell", [Line("p2p protocol", "=", "ssh")])
        self.after = [self.rule(f"after{i}", "post-processing", 0.3) for i in range(6)]
        self.groups = [Group(f"g{i}", list(enumerate(r.sample(self.rules, r.randint(1, 5)), 1)))
                       for i in range(GROUPS)]
        self.bases = [self.base(i) for i in range(BASES)]
        self.entered = {b.name: r.sample(b.actions, len(b.actions)) for b in self.bases}
        names = [x.name for x in self.rules + self.groups + [self.any, self.shell]] + GIVEN
        self.eligible = set(r.sample(names, len(names) * 7 // 10))

    def base(self, i):
        """The last two ask nDPI. When it has nothing more to say nobody knows, so nothing waits for that there."""
        r = self.r
        picked = r.sample(self.rules, r.randint(8, 16)) + r.sample(self.groups, r.randint(0, 3))
        post = []
        if i < BASES - 2:
            takes = TAKES[i % len(TAKES)]
            post = [Action(n, x, does=r.choice(["drop", "drop-up", "drop-down", "count"])) for n, x in
                    enumerate(r.sample(self.after, r.choice([0, 0, 1, 2])), 1)]
        else:
            takes = r.choice([x for x in TAKES if not x & {"all-packets", "initial-packets"}])
            picked = [x for x in picked if len({y.l34() for y in x.all_lines()}) == 1 and not any(
                "state" in y.field or y.field.startswith("dns") or "quic" in y.field for y in x.all_lines())]
            picked.append(self.shell)
        r.shuffle(picked)
        actions = [Action(n, x, *((self.kind(), self.does()) if i < BASES - 2 else ()))
                   for n, x in zip(sorted(r.sample(range(1, 60000), len(picked))), picked)]
        if r.random() < 0.7:
            actions.append(Action(65000, self.any))
        return Base(f"base{i}", actions, takes, self.pools, r.random() < 0.5, post)

    def kind(self):
        return self.r.choices(["", "dynamic-only", "static-and-dynamic"], [80, 12, 8])[0]

    def does(self):
        return self.r.choices(["count", "drop", "drop-up", "drop-down", "end"], [87, 4, 4, 3, 2])[0]

    # --- rules ---

    def string(self, field, values, key="", ops=()):
        r = self.r
        op = r.choice(ops or ["=", "=", "contains", "starts-with", "ends-with", "!=", "!contains", "!starts-with",
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
        ids = ["=", "!=", "contains", "starts-with", "ends-with"]
        return r.choice([
            lambda: self.string("http host", HOSTS), lambda: self.string("http url", urls),
            lambda: self.string("http uri", PATHS), lambda: self.string("http user-agent", AGENTS),
            lambda: self.string("www host", HOSTS), lambda: self.string("www url", urls),
            lambda: self.string(r.choice(["http domain", "www domain"]), HOSTS),
            lambda: Line("http request method", r.choice(["=", "!="]), r.choice(METHODS).lower()),
            lambda: Line("http any-match", "=", "TRUE"),
            lambda: self.string("http x-header", CLASSES, "X-Class"),
            lambda: self.string("http attribute-in-url", ["4711", "11"], "id"),
            lambda: Line("http reply code", r.choice(["=", "=", "!=", ">=", "<="]), r.choice(CODES)),
            lambda: Line("http reply code", r.choice(["=", "=", "!=", ">=", "<="]), r.choice(CODES)),
            lambda: self.string("http content type", TYPES),
            lambda: self.string("tls sni", NAMES), lambda: Line("secure-http any-match", "=", "TRUE"),
            lambda: self.string("p2p app-identifier tls-sni", NAMES, ops=ids),
            lambda: self.string("p2p app-identifier quic-sni", NAMES, ops=ids),
            lambda: self.string("p2p app-identifier quic-sni", NAMES, ops=ids),
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
            lambda: Line("tcp state", r.choice(["=", "=", "=", "!="]), r.choice(STATES)),
            lambda: Line("icmp type", r.choice(["=", "<=", ">="]), r.choice([0, 3, 8, 128])),
            lambda: Line(r.choice(["tcp", "udp", "icmp"]) + " any-match", "=", r.choice(["TRUE", "TRUE", "FALSE"]))])()

    def rule(self, name, application="charging", share=0.6):
        r = self.r
        any_line = r.random() < 0.3
        lines = [self.l7() if r.random() < share else self.l34()
                 for _ in range(r.randint(2, 4) if any_line else r.choice([1, 1, 2, 3]))]
        if application != "charging":  # not everything
            lines, any_line = lines + [Line("ip server-ip-address", "=", server(r, r.random() < 0.4))], False
        return Rule(name, lines, any_line, application)

    # --- what a call is given ---

    def filter(self, r, precedence=None):
        net = None
        if r.random() < 0.7:
            net = server(r, r.random() < 0.4)
            net = str(ipaddress.ip_network(f"{net}/{r.choice([126, 128] if ':' in net else [29, 32])}", strict=False))
        proto = r.choice([None, 6, 6, 17, 17, 1, 58])
        remote = local = None
        if proto in (None, 6, 17):
            if net is None or r.random() < 0.5:
                a, b = sorted(r.choices(PORTS, k=2))
                remote = (a, b)
            if r.random() < 0.2:
                local = (20000, r.randint(20050, 21000))
        direction = r.choice(["", "", "", "", "uplink", "downlink"])
        return Filter(proto, net, remote, local, direction, precedence)

    def give(self, r, call, priorities):
        """Something that a call is given, or loses: changes the call, and says the commands."""
        predefined = [a.name for a in call.base.actions if a.kind]
        bearer = r.choice([None, None, *call.bearers])
        choices = []
        if len(call.given) < 4:
            choices += ["install"] * 3
        if call.given:
            choices += ["remove", "remove", "modify"]
        if set(predefined) - set(call.active):
            choices += ["activate"]
        if call.active:
            choices += ["deactivate"]
        choices += ["bearer create"] if len(call.bearers) < 2 else ["bearer delete"]
        choices += ["control", "control"] if call.pending else ["control"]
        return getattr(self, r.choice(choices).replace(" ", "_"))(r, call, bearer, predefined, priorities)

    @staticmethod
    def status(r):
        return r.choices(["enabled", "disabled", "enabled-uplink", "enabled-downlink"], [85, 5, 5, 5])[0]

    @staticmethod
    def control(_, call, *__):
        """A control transaction begins, or ends."""
        call.pending = not call.pending
        return f"control {'begin' if call.pending else 'end'} callid {{}}"

    def install(self, r, call, bearer, _, priorities):
        name = r.choice([n for n in GIVEN if n not in call.given])
        g = Given(name, r.choice([r.randint(1, 60000), r.choice(priorities)]),
                  [self.filter(r) for _ in range(r.choice([1, 1, 2, 3]))], bearer,
                  self.status(r))
        call.given[name] = g
        return f"rule install callid {{}} name {name} precedence {g.precedence} flow-status {g.status} " + \
            (f"bearer {bearer} " if bearer else "") + 'filters "' + "; ".join(f.config() for f in g.filters) + '"'

    def modify(self, r, call, _bearer, _, priorities):
        g = call.given[r.choice(sorted(call.given))]
        if r.random() < 0.5:
            g.precedence = r.choice([r.randint(1, 60000), r.choice(priorities)])
            return f"rule modify callid {{}} name {g.name} precedence {g.precedence}"
        g.status = r.choice(["enabled", "enabled", "disabled", "enabled-uplink", "enabled-downlink"])
        return f"rule modify callid {{}} name {g.name} flow-status {g.status}"

    def remove(self, r, call, *_):
        name = r.choice(sorted(call.given))
        del call.given[name]
        return f"rule remove callid {{}} name {name}"

    def activate(self, r, call, bearer, predefined, _):
        name = r.choice([n for n in predefined if n not in call.active])
        status = self.status(r)
        call.active[name] = bearer, status
        return f"rule activate callid {{}} name {name} flow-status {status}" + (f" bearer {bearer}" if bearer else "")

    def deactivate(self, r, call, *_):
        name = r.choice(sorted(call.active))
        del call.active[name]
        return f"rule deactivate callid {{}} name {name}"

    def bearer_create(self, r, call, *_):
        n = r.choice([n for n in range(6, 16) if n not in call.bearers])
        taken = {f.precedence for fs in call.bearers.values() for f in fs}
        free = r.sample([x for x in range(200) if x not in taken], 3)
        call.bearers[n] = [self.filter(r, x) for x in free[:r.choice([1, 2, 3])]]
        return f"bearer create callid {{}} id {n} qci {r.randint(1, 8)} tft \"" + \
            "; ".join(f.config() for f in call.bearers[n]) + '"'

    def bearer_delete(self, r, call, *_):
        """With a bearer the rules end that name it."""
        n = r.choice(sorted(call.bearers))
        del call.bearers[n]
        call.given = {k: g for k, g in call.given.items() if g.bearer != n}
        call.active = {k: (b, s) for k, (b, s) in call.active.items() if b != n}
        return f"bearer delete callid {{}} id {n}"

    # --- configuration ---

    def config(self):
        out = ["  active-charging service ecs", "    idle-timeout tcp 3600", "    idle-timeout udp 3600",
               "    idle-timeout icmp 3600", "    system-limit flow-chkpt-per-call 300"]
        for name, lines in (("count", ["content-id 1"]), ("drop", ["flow action discard"]),
                            ("drop-up", ["flow action discard uplink"]),
                            ("drop-down", ["flow action discard downlink"]), ("end", ["flow action terminate-flow"])):
            out += [f"    charging-action {name}"] + [f"      {x}" for x in lines] + ["    #exit"]
        for name, ranges in self.pools.items():
            ports = isinstance(ranges[0][0], int)
            out.append(f"    {'port-map' if ports else 'host-pool'} {name}")
            for a, b in ranges:
                word = "port" if ports else "ip"
                out.append(f"      {word} {a}" if a == b else f"      {word} range {a} to {b}")
            out.append("    #exit")
        for x in self.rules + [self.any, self.shell] + self.after + self.groups:
            out += x.config()
        for b in self.bases:
            base = b.config(self.entered[b.name])
            out += base[:-1] + ["      tcp 2msl-timeout 20", "      tcp packets-out-of-order timeout 30000"] + base[-1:]
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


if __name__ == "__main__":
    sys.stdout.write(World(int(sys.argv[1])).config())
