"""traffic: scenarios of the functional tests. Sockets are opened inside the namespaces of the bed
by this one process, so that each step waits for the one before; what passes the links outside of the
chassis is counted by taps."""
import collections
import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

from bed import Bed, BedError, elapse, paced, rows, send_queues, turns, wait_for

SUB_PORTS = 20000
PATIENCE = 20  # seconds that what must come may take on a slow machine: a bound, no expectation
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def sub4(i):
    return f"10.45.{i // 256}.{i % 256}"


def sub6(i):
    return f"2001:db8:45:{i:x}::1"


def walkin(i):
    return f"10.46.0.{i}"


def v4(last):
    return f"198.51.100.{last}"


def v6(last):
    return f"2001:db8:99::{last}"


# --- packets outside -----------------------------------------------------------------------------

Packet = collections.namedtuple(
    "Packet", "eth src dst proto sport dport size flags payload frag icmp data")


def parse_l4(p, proto, more):
    """Ports, TCP flags, length of the TCP header, ICMP type."""
    if more or proto not in (1, 6, 17, 58) or len(p) < 8:
        return 0, 0, 0, 0, None
    if proto in (1, 58):
        return 0, 0, 0, 8, p[0]
    sport, dport = struct.unpack_from("!HH", p)
    if proto == 6 and len(p) >= 20:
        return sport, dport, p[13], (p[12] >> 4) * 4, None
    return sport, dport, 0, 8, None


def parse(frame):
    """An Ethernet frame; None when it is not IP."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    p = frame[14:]
    if kind == 0x0800 and len(p) >= 20:
        hdr, size, proto = (p[0] & 15) * 4, struct.unpack_from("!H", p, 2)[0], p[9]
        offset = struct.unpack_from("!H", p, 6)[0] & 0x3fff
        src, dst = socket.inet_ntop(socket.AF_INET, p[12:16]), socket.inet_ntop(socket.AF_INET,
                p[16:20])
        frag, later = offset != 0, offset & 0x1fff != 0
    elif kind == 0x86dd and len(p) >= 40:
        hdr, size, proto = 40, struct.unpack_from("!H", p, 4)[0] + 40, p[6]
        src, dst = (socket.inet_ntop(socket.AF_INET6, p[i:i + 16]) for i in (8, 24))
        frag = later = False
        if proto == 44 and len(p) >= 48:
            proto, frag, later, hdr = p[40], True, struct.unpack_from("!H", p, 42)[0] >> 3 != 0, 48
    else:
        return None
    sport, dport, flags, l4, icmp = parse_l4(p[hdr:], proto, later)
    return Packet(frame[:14], src, dst, proto, sport, dport, size, flags, size - hdr - l4, frag,
                  icmp, p)


class Tap:
    """Sees every packet of a device from its opening on."""

    def __init__(self, test, ns, device):
        with test.ns(ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
            self.sock.bind((device, 0))
        self.sock.setblocking(False)
        self.frames = []

    def read(self):
        """Everything that has passed so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, addr = self.sock.recvfrom(65600)
                self.frames.append((frame, addr[2]))
        dropped = struct.unpack("II", self.sock.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS
        if dropped:
            raise BedError(f"a tap lost {dropped} packets")
        return self.frames

    def packets(self, **want):
        """The IP packets whose fields are as asked for: peer= is either end."""
        found = []
        for frame, _ in self.read():
            p = parse(frame)
            if p and all((v in (p.src, p.dst)) if k == "peer" else
                         (v in (p.sport, p.dport)) if k == "port" else getattr(p, k) == v
                         for k, v in want.items()):
                found.append(p)
        return found

    def forget(self):
        self.read()
        self.frames = []


def volume(packets, servers):
    """(packets up, bytes up, packets down, bytes down) of packets by their server's address."""
    servers = {servers} if isinstance(servers, str) else set(servers)
    up = [p.size for p in packets if p.dst in servers]
    down = [p.size for p in packets if p.src in servers]
    return len(up), sum(up), len(down), sum(down)


# --- the test ------------------------------------------------------------------------------------

class Test:
    def __init__(self, directory, build):
        self.bed = Bed(directory, build)
        self.failed = 0
        self.checks = 0
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)

    # --- saying ---

    def say(self, text):
        print(f"-- {text}", flush=True)

    def check(self, good, text, *seen):
        self.checks += 1
        if good:
            print(f"ok   {text}", flush=True)
            return True
        self.failed += 1
        print(f"FAIL {text}" + ("".join(f": {s}" for s in seen)), flush=True)
        return False

    def equal(self, got, want, text):
        return self.check(got == want, text, f"got {got!r}, not {want!r}")

    def becomes(self, look, want, text, seconds=PATIENCE):
        """What look() gives becomes equal to want, a value or a test of it."""
        test = want if callable(want) else lambda got: got == want
        for _ in turns(seconds):
            try:
                got = look()
                good = test(got)
            except BedError as e:
                got, good = e, False
            if good:
                break
        return self.check(good, text, f"got {got!r}" + ("" if callable(want) else f", not {want!r}"))

    def end(self):
        print(f"{self.checks - self.failed} of {self.checks} checks passed")
        sys.stdout.flush()
        os._exit(1 if self.failed or not self.checks else 0)

    # --- namespaces and sockets ---

    @contextlib.contextmanager
    def ns(self, name):
        fd = os.open(f"/run/netns/{self.bed.prefix}{name}", os.O_RDONLY)
        try:
            if LIBC.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            os.close(fd)
            if LIBC.setns(self.home, CLONE_NEWNET) != 0:
                os.abort()

    def socket(self, ns, addr, port=0, kind=socket.SOCK_DGRAM, proto=0):
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        with self.ns(ns):
            s = socket.socket(family, kind, proto)
        s.settimeout(PATIENCE)
        if kind == socket.SOCK_STREAM:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        return s

    def listen(self, ns, addr, port):
        s = self.socket(ns, addr, port, socket.SOCK_STREAM)
        s.listen(64)
        return s

    def connect(self, listener, ns, addr, port=0):
        """A connection to a listener; (the side that opened it, the other)."""
        s = self.socket(ns, addr, port, socket.SOCK_STREAM)
        s.connect(listener.getsockname()[:2])
        other, _ = listener.accept()
        other.settimeout(PATIENCE)
        for x in (s, other):
            x.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s, other

    def sh(self, ns, *argv, **kw):
        """A program in a namespace; its output, also when it fails."""
        p = self.bed.run(ns, *argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         timeout=25, **kw)
        return p.returncode, p.stdout

    def tap(self, ns, device):
        return Tap(self, ns, device)

    # --- what a chassis says ---

    def ctl(self, chassis, command):
        return self.bed.ctl(chassis, command)

    def configure(self, chassis, *lines):
        """Lines of configuration mode, entered at run time; what is said, and whether all was taken."""
        p = subprocess.run([os.path.join(self.bed.build, "chassisctl"), "-s", self.bed.path(chassis + ".sock")],
                           input="\n".join(("configure", *lines, "end", "")), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        # The answer comes when all tasks are told to run by it: who answers a question after that does.
        with contextlib.suppress(BedError):
            self.replicas(chassis)
        return p.stdout, p.returncode == 0 and "Failure" not in p.stdout

    def charging(self, chassis, *lines):
        """The same in the active-charging service."""
        return self.configure(chassis, "active-charging service ecs", *lines)

    def both_charge(self, chassis, *lines):
        """The same to all of these chassis; those that are a pair then run the same."""
        for c in chassis:
            said, good = self.charging(c, *lines)
            self.check(good, f"chassis {c}: {lines[-1]}", said)
        if len(chassis) > 1:
            self.becomes(lambda: "Failure" in self.ctl(chassis[0], "srp validate-configuration"), False,
                         "both run the same", 10)

    def refused(self, chassis, command):
        """What chassisctl says of a command that must fail; None when it did not."""
        try:
            self.bed.ctl(chassis, command)
        except BedError as e:
            return str(e)
        return None

    def json(self, chassis, command):
        return json.loads(self.bed.ctl(chassis, command + " | json"))

    def info(self, chassis):
        return self.bed.show(chassis, "show srp info", "chassis_state")[0]

    def state(self, chassis):
        return self.info(chassis)["chassis_state"].lower()

    def flows(self, chassis, **want):
        got = self.bed.show(chassis, "show active-charging flows all", "subscriber", "rule")
        return [f for f in got if all(f[k] == v for k, v in want.items())]

    def flow(self, chassis, **want):
        got = self.flows(chassis, **want)
        return got[0] if len(got) == 1 else {"rule": f"{len(got)} flows", "recovered": None,
                                              "checkpointed": None, "bind": None}

    def sessions(self, chassis, **want):
        got = self.bed.show(chassis, "show subscribers all", "callid", "imsi")
        return [s for s in got if all(s[k] == v for k, v in want.items())]

    def callid(self, chassis, **want):
        got = self.sessions(chassis, **want)
        if len(got) != 1:
            raise BedError(f"{len(got)} sessions with {want}")
        return got[0]["callid"]

    def volumes(self, chassis, of="rule", callid=None):
        """Volumes of all sessions or of one by name: packets and bytes up, packets and bytes down."""
        command = "show active-charging sessions " + (f"callid {callid}" if callid else "all")
        sums = {}
        for v in self.bed.show(chassis, command, "of", "name", "bytes_up"):
            if v["of"] == of:
                one = (v["packets_up"], v["bytes_up"], v["packets_down"], v["bytes_down"])
                sums[v["name"]] = tuple(a + b for a, b in zip(sums.get(v["name"], (0,) * 4), one))
        return sums

    def rule(self, chassis, name):
        """Counters of a ruledef on a chassis, as volumes()."""
        for r in self.bed.show(chassis, "show active-charging ruledef statistics", "name", "hits"):
            if r["name"] == name:
                return r["packets_up"], r["bytes_up"], r["packets_down"], r["bytes_down"]
        return None

    def rule_row(self, chassis, name):
        for r in self.bed.show(chassis, "show active-charging ruledef statistics", "name", "hits"):
            if r["name"] == name:
                return r
        return {}

    def counters(self, chassis):
        """Every counter of `show srp statistics` by name."""
        flat = {}

        def walk(d):
            for k, v in d.items():
                if isinstance(v, dict):
                    walk(v)
                elif isinstance(v, int):
                    flat[k] = flat.get(k, 0) + v
        walk(self.json(chassis, "show srp statistics"))
        return flat

    def counter(self, chassis, name):
        return self.counters(chassis)[name]

    def checkpoints(self, chassis, table="sent"):
        """Rows of `show srp checkpoint statistics` by checkpoint type."""
        got = self.json(chassis, "show srp checkpoint statistics")
        return {r["checkpoint_type"]: r for r in got[table]}

    def sent(self, chassis, kind):
        return self.checkpoints(chassis).get(kind, {}).get("sent", 0)

    def replicas(self, chassis):
        return self.bed.show(chassis, "show srp replica", "dirty", "inflight")

    # --- sessions and the pair ---

    def add(self, chassis, i, apn="internet", more=""):
        """Creates session i of the bed, with both addresses; its call-id."""
        self.ctl(chassis, f"session add imsi 00101{i:010d} username user{i} apn {apn} "
                          f"ip-address {sub4(i)} ipv6-address {sub6(i)} {more}")
        return self.callid(chassis, v4=sub4(i))

    def settled(self, chassis):
        r = self.replicas(chassis)
        return bool(r) and all(x["dirty"] == 0 and x["inflight"] == 0 and x["link"] == "Ready"
                               for x in r)

    def in_step(self, active, standby):
        i = self.info(active)
        return i["chassis_state"].lower() == "active" and self.state(standby) == "standby" and \
            i["sessmgrs_connected"] == i["sessmgrs"] and self.settled(active)

    def synchronised(self, active, standby, seconds=PATIENCE):
        """Waits until one is active, the other its standby, and nothing is under way."""
        def ready():
            try:
                return self.in_step(active, standby)
            except (BedError, IndexError):
                return False
        wait_for(f"chassis {active} active, {standby} synchronised", seconds, ready, 0.05,
                 lambda: f"{self.standing(active)}; {self.standing(standby)}")

    def standing(self, chassis):
        """Where a chassis stands, in a few words for the reader of a failure."""
        try:
            i = self.info(chassis)
            keys = ("instance", "role", "link", "complete", "dirty", "inflight", "sent", "acked", "applied", "tombstones",
                    "refused", "unknown", "objects", "digest", "verified_s", "equations")
            return [{k: i.get(k) for k in ("chassis_state", "peer_state", "sessmgrs", "sessmgrs_connected")}] + \
                [{k: r.get(k) for k in keys} for r in self.replicas(chassis)]
        except BedError as e:
            return [str(e)]

    def quiet(self, active="a", standby="b"):
        """Everything that has happened is at the peer: waits for the usage turn of a second, and longer where the
        machine is slow; not for ever, as the peer may be given volumes less often."""
        self.grace(1.2)
        for _ in turns(3):
            if self.used(active) == self.used(standby):
                break
        self.synchronised(active, standby)

    def delivered(self):
        """Every byte of every connection has been acknowledged, delayed as that may be."""
        wait_for("acknowledgements", PATIENCE, lambda: not any(send_queues(self.bed, ns) for ns in ("ue", "srv")), 0.01)

    def connections(self):
        """Connections of subscribers and servers that are not over: lines of ss."""
        return [line for ns in ("ue", "srv") for line in self.sh(ns, "ss", "-Htan")[1].splitlines()
                if line.split()[0] not in ("LISTEN", "TIME-WAIT")]

    def grace(self, seconds=0.3):
        """For what must not come: by then it would have, on a machine that is not slow."""
        elapse(seconds)

    def used(self, chassis):
        """All volumes as a chassis has them."""
        return sorted((v["callid"], v["bearer"], v["of"], v["name"], v["packets_up"], v["bytes_up"],
                       v["packets_down"], v["bytes_down"])
                      for v in self.bed.show(chassis, "show active-charging sessions all", "of", "name", "bytes_up"))

    def balanced(self, *chassis):
        """Every instance: equations hold, digests equal what is recomputed, and each other's."""
        seen = {}
        for c in chassis:
            for r in self.replicas(c):
                seen[(c, r["instance"])] = r
                self.equal(r["equations"], "hold",
                           f"chassis {c}, instance {r['instance']}: equations")
                self.equal(r["digest"], r["recomputed_digest"],
                           f"chassis {c}, instance {r['instance']}: digest is that of the objects")
        if len(chassis) == 2:
            for (c, i), r in seen.items():
                if c == chassis[0]:
                    self.equal(r["digest"], seen[(chassis[1], i)]["digest"],
                               f"instance {i}: digests of both sides are equal")

    def kill(self, chassis):
        self.bed.call("bed_chassis_kill", chassis)

    def start(self, chassis):
        self.bed.call("bed_chassis_start", chassis)

    def switch(self, old, new, seconds=PATIENCE):
        self.ctl(old, "srp initiate-switchover -noconfirm")
        wait_for(f"chassis {new} active", seconds, lambda: self.state(new) == "active", 0.02)

    def takeover(self, old, new, seconds=PATIENCE):
        """kill -9 of every process of the active; waits until the other is."""
        self.kill(old)
        wait_for(f"chassis {new} active", seconds, lambda: self.state(new) == "active", 0.02)


def echo(sender, receiver, data, to=None):
    """Sends a datagram, waits for it; the sender's address as the receiver sees it."""
    if to:
        sender.sendto(data, to)
    else:
        sender.send(data)
    got, addr = receiver.recvfrom(70000)
    if got != data:
        raise BedError("other bytes than were sent")
    return addr


def push(sender, receiver, data):
    """Sends over a connection, and reads it all at the other end."""
    view, got = memoryview(data), bytearray()
    sender.setblocking(False)
    end = time.monotonic() + PATIENCE
    while len(got) < len(data):
        r, w, _ = select.select([receiver], [sender] if view else [], [], 1)
        if w:
            with contextlib.suppress(BlockingIOError):
                view = view[sender.send(view):]
        if r:
            chunk = receiver.recv(1 << 16)
            if not chunk:
                raise BedError("the connection ended")
            got += chunk
        if time.monotonic() > end:
            raise BedError(f"{len(got)} of {len(data)} bytes arrived")
    sender.settimeout(PATIENCE)
    if bytes(got) != bytes(data):
        raise BedError("other bytes than were sent")


def reset(sock):
    """Ends a connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def comes(sock, seconds=PATIENCE):
    """What arrives, which is waited for; None when it does not."""
    return arrives(sock, seconds)


def arrives(sock, seconds=0.4):
    """What arrives, or None: for what must not arrive, where each would be there by now."""
    sock.settimeout(seconds)
    try:
        return sock.recv(70000)
    except (TimeoutError, OSError):
        return None
    finally:
        sock.settimeout(PATIENCE)


t = Test(sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 else None
