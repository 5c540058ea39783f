"""oracle_rows: rows of the packet trace, of a chassis or of ecsreplay, beside what the oracle says of the packets."""
import collections
import json
import struct
import subprocess

from oracle import name_of


def key(j):
    """By what a row is known to be of a packet."""
    p = j.p
    _, subscriber, port, server, server_port = j.flow.key if j.flow else p.about or p.key()
    return ("uplink" if p.up else "downlink", p.proto, str(subscriber), port, str(server), server_port, p.seq, p.ack,
            p.flags & 0x3f, len(p.payload), p.crc, p.ip_id, p.frag)  # ECE and CWR are not in rows


def row_key(x):
    return tuple(x[k] for k in (
        "direction", "protocol", "subscriber", "subscriber_port", "server", "server_port", "tcp_seq", "tcp_ack",
        "tcp_flags", "payload_len", "payload_crc", "ip_id", "fragment"))


def differs(j, x):
    """What of a row is not as the oracle says."""
    if x["fate"] == "held" or x["late"]:
        right = j.fate == "held" and (x["by"] == "handshaking" or x["late"])
    else:
        right = j.fate == x["fate"]
    if x["fate"] != "held" and x["rule"] not in map(name_of, (j.rule, *j.others)):
        return ["rule"]
    wrong = [] if right else ["fate"]
    if x["charged"] != (x["fate"] == "forwarded") or (x["packets"], x["bytes"]) != (1, j.p.size):
        wrong.append("volume")
    if x["bearer"] != j.bearer and not x["late"]:
        wrong.append("bearer")
    wrong += [k for k in ("recovered", "pending") if x[k] != getattr(j, k) and not x["late"]]
    return wrong


class Rows:
    """Packets that rows are looked for, and those that wait for a late one."""

    def __init__(self):
        self.want = collections.defaultdict(collections.deque)
        self.waits = {}          # packet by where its held row stands

    def expect(self, j):
        self.want[key(j)].append(j)

    def find(self, x, where):
        """The packet of a row, None if there is none; where: tells rows of one number apart."""
        if x["late"]:
            return self.waits.pop((*where, x["packet"]), None)
        queue = self.want.get(row_key(x))
        if not queue:
            return None
        j = queue.popleft()
        if x["fate"] == "held":
            self.waits[(*where, x["seq"])] = j
        return j

    def missing(self):
        return [j for queue in self.want.values() for j in queue]


# --- ecsreplay -------------------------------------------------------------------------------------

def write_capture(path, packets):
    """Raw IP, a tenth of a millisecond apart."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for i, data in enumerate(packets):
            f.write(struct.pack("<IIII", 1700000000 + i // 10000, i % 10000 * 100, len(data), len(data)) + data)


def replay(exe, *arguments):
    p = subprocess.run([exe, *arguments, "--json"], capture_output=True, text=True, check=False, timeout=60)
    return json.loads(p.stdout) if p.returncode == 0 else {"packets": [], "rules": [], "error": p.stderr}


def compare(oracle, judged, rows):
    """Each packet with its row, of a capture that has ended. What differs: (packet or None, text)."""
    found, bad = Rows(), []
    for f in list(oracle.flows.values()):
        oracle.end(f)
    for j in judged:
        found.expect(j)
    for x in rows:
        j = found.find(x, ())
        if j is None:
            bad.append((None, f"no such packet: {x}"))
            continue
        wrong = differs(j, x)
        if wrong:
            bad.append((j, f"{', '.join(wrong)}: oracle {name_of(j.rule)} {j.fate}, {x}"))
        elif x["rule"] in map(name_of, j.others) and j.charged:
            oracle.settle(j, x["rule"])
    return bad + [(j, f"no row: {key(j)}") for j in (*found.missing(), *found.waits.values())]


def by_rule(rows):
    """The same of sums: packets up, bytes up, packets down, bytes down, of the rules that were hit."""
    return {x["rule"]: [x["packets_up"], x["bytes_up"], x["packets_down"], x["bytes_down"]]
            for x in rows if x["packets_up"] or x["packets_down"]}
