#!/bin/bash
# `show subscriber debug-info`: the call line of a subscriber and its other copy, before and after a
# recovery: checkpoints, the trace of the session machine, and what was counted aside. On a pair, and the
# numbers are those of the statements of the manual.
export BED_SUBSCRIBERS=20 BED_WALKINS=0 BED_SR=yes BED_HELLO_MS=500 BED_DEAD_MS=3000
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout udp 600
		    idle-timeout tcp 600
		    ruledef web
		      http host = www.example.test
		    #exit
		    ruledef walled
		      udp either-port = 7090
		      tcp either-port = 80
		      multi-line-or all-lines
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action redirect
		      content-id 2
		      flow action redirect-url http://portal.example.test/
		    #exit
		    rulebase gold
		      action priority 10 ruledef web charging-action count
		      action priority 100 ruledef any charging-action count
		    #exit
		    rulebase walled
		      action priority 10 ruledef walled charging-action redirect
		      action priority 100 ruledef any charging-action count
		    #exit
		$(t_recover "rule-name = any" "rule-name = web" "rule-name = walled")
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
import os
import re
import signal
from packets import checksum
from recovery import Tasks
from traffic import *

tasks = Tasks(t.bed)
SETUP = [("OPEN", "NEWCALL"), ("NEWCALL_ARRIVED", "ANSWER_CALL"), ("NEWCALL_ANSWERED", "LINE_CONNECTED"),
         ("LINE_CONNECTED", "LINK_CONTROL_UP"), ("LINE_CONNECTED", "AUTH_REQ"),
         ("LINE_CONNECTED", "IPADDR_ALLOC_SUCCESS"), ("LINE_CONNECTED", "AUTH_SUCCESS"),
         ("LINE_CONNECTED", "UPDATE_SESS_CONFIG"), ("LINE_CONNECTED", "LOWER_LAYER_UP")]
AGAIN = ("LINE_CONNECTED", "LOWER_LAYER_UP")
SUB_SESSION = [("CONNECTED", f"{name}_SUB_SESSION") for name in ("REQ", "RSP", "ADD")]
REORDER = ["Total timer expiry", "Total flush (tmr expiry)", "Total no buffers",
           "Total flush (no buffers)", "Total flush (queue full)", "Total flush (out of range)",
           "Total flush (svc change)", "Total out-of-seq pkt drop", "Total out-of-seq arrived"]
REASSEMBLY = ["Success", "In Progress", "Failure (timeout)", "Failure (no buffers)",
              "Failure (other reasons)"]
REDIRECT = ["Allowed", "Current", "Added", "Deleted", "Revoked for use by different subscriber"]
NUMBER = re.compile(r"([A-Z][A-Za-z -]*(?:\([a-z ]+\))?(?: [a-z ]+)?): *(\d+)")


def block(text):
    """A call line: its parts by name."""
    parts = re.split(r"\n *(Current state|FSM Event trace|Data Reorder statistics|"
                     r"IPv4 Reassembly Statistics|Redirected Session Entries):? *", "\n" + text)
    got = dict(zip(parts[1::2], parts[2::2]))
    head = parts[0]
    out = {"status": re.search(r"Redundancy Status: (.*)", head)[1].strip(),
           "state": got["Current state"].strip().removeprefix("SMGR_STATE_")}
    for name in ("Full", "Micro"):
        out[name] = tuple(map(int, re.search(
            name + r": +(\d+) +(\d+) +(\d+)ms +(\d+)ms", head).groups()))
    out["trace"] = re.findall(r"SMGR_STATE_(\w+) +SMGR_EVT_(\w+)", got["FSM Event trace"])
    for key, name, want in (("reorder", "Data Reorder statistics", REORDER),
                            ("reassembly", "IPv4 Reassembly Statistics", REASSEMBLY),
                            ("redirect", "Redirected Session Entries", REDIRECT)):
        out[key] = {k.strip(): int(v) for k, v in NUMBER.findall(got[name])}
        if sorted(out[key]) != sorted(want):
            raise BedError(f"{name}: {sorted(out[key])}, not {sorted(want)}")
    return out


def debug(chassis, which, command="show subscriber debug-info"):
    text = t.ctl(chassis, f"{command} {which}")
    m = re.search(r"username: (\S*) +callid: ([0-9a-f]{8}) +msid: (\d+)\n"
                  r"Card/Cpu: (\S+)\nSessmgr Instance: (\d+)\n"
                  r"Primary callline:\n(.*)\nPeer callline:\n(.*)", text, re.S)
    if not m:
        raise BedError(f"not the layout of the manual: {text}")
    return {"username": m[1], "callid": m[2], "msid": m[3], "cpu": m[4], "instance": int(m[5]),
            "primary": block(m[6]), "peer": block(m[7])}


def keys(d):
    return {k: keys(v) if isinstance(v, dict) else None for k, v in d.items()}


def primary(chassis, call):
    return debug(chassis, f"callid {call}")["primary"]


def is_setup(trace):
    """The steps of the set-up in their order; a step may be there more than once."""
    at = 0
    for step in trace:
        if step == SETUP[at]:
            at += 1
            if at == len(SETUP):
                return True
    return False


def segment(sport, seq, ack, flags, body=b""):
    """A TCP segment from subscriber 2 to nobody: no answer ends the connection."""
    tcp = struct.pack("!HHIIBBHHH", sport, 80, seq, ack, 5 << 4, flags, 60000, 0, 0) + body
    src, dst = socket.inet_aton(sub4(2)), socket.inet_aton(v4(99))
    sum_ = checksum(src + dst + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", sum_) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0) + src + dst
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


with t.ns("ue"):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def send(packet):
    raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def fragment(ident, offset, more, body, subscriber=sub4(3)):
    src, dst = socket.inet_aton(subscriber), socket.inet_aton(v4(70))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ident, more << 13 | offset // 8, 64, 17,
                     0) + src + dst
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + body


whole = struct.pack("!HHHH", 7100, 7007, 8 + 1600, 0) + bytes(1600)


server = t.socket("srv", v4(70), 7007)
calls = {i: t.add("a", i) for i in (1, 2, 3, 4)}
walled = t.add("a", 5, more="rulebase walled")
t.synchronised("a", "b")
tasks.wait_ready("a")

t.say("one call, by each of its names")
call = calls[1]
row = t.sessions("a", callid=call)[0]
got = debug("a", f"callid {call}")
for text, how in ((f"callid {call}", "show subscriber debug-info"),
                  (f"callid {call}", "show subscribers debug-info"),
                  (f"msid {row['imsi']}", "show subscriber debug-info"),
                  (f"username {row['username']}", "show subscriber debug-info")):
    d = debug("a", text, how)
    t.equal((d["callid"], d["msid"], d["username"], d["instance"]),
            (row["callid"], row["imsi"], row["username"], row["instance"]),
            f"SR-39, SR-40, SR-42: {how} {text}: the values of show subscribers all")
for text in ("callid 0badbeef", "msid 999999999999999", "username nobody"):
    said = t.refused("a", f"show subscriber debug-info {text}") or ""
    t.check("Failure:" in said and "no " in said.lower(), f"SR-39: {text}: a clear message", said)
cpu = t.ctl("a", "show session recovery status verbose").splitlines()
t.equal(got["cpu"], next(x for x in cpu if " Active " in x).split()[0],
        "SR-41: Card/Cpu is that of the status")
t.check(got["primary"] and got["peer"] and keys(got["primary"]) == keys(got["peer"]),
        "SR-43, SR-54: both call lines, with all their parts")

t.say("the machine")
for i in (1, 2, 3):
    p = primary("a", calls[i])
    t.equal((p["status"], p["state"]), ("Original Session", "CONNECTED"),
            f"SR-44, SR-48: call {i}: original, connected")
    t.check(is_setup(p["trace"]), f"SR-49: call {i}: set up in the order of the manual", p["trace"])

t.say("dedicated bearers")


def bearers(chassis, call):
    """EPS bearer identity, dedicated, QCI and ARP of each bearer of a call."""
    got = t.bed.show(chassis, f"show active-charging bearers callid {call}", "bearer", "qci")
    return sorted((b["bearer"], b["type"] == "dedicated", b["qci"], b["arp"]) for b in got)


default = bearers("a", calls[3])
t.equal([b[:2] for b in default], [(5, False)], "at first there is the default bearer alone")
t.ctl("a", f"session bearer create callid {calls[3]} id 6 qci 1 arp 3")
t.ctl("a", f"session bearer create callid {calls[3]} id 15 qci 9")
t.equal(primary("a", calls[3])["trace"][-6:], SUB_SESSION * 2,
        "SR-49: dedicated bearers: the steps of a secondary call line, in the order of the manual")
dedicated = default + [(6, True, 1, 3), (15, True, 9, 15)]
t.equal(bearers("a", calls[3]), dedicated, "and they are shown")
t.becomes(lambda: bearers("b", calls[3]), dedicated, "the peer has them")
t.check("the call has a bearer 15 already" in
        (t.refused("a", f"session bearer create callid {calls[3]} id 15 qci 2 arp 1") or ""),
        "one that is there is not made again")
t.equal(bearers("a", calls[3]), dedicated, "and stays as it was")
t.ctl("a", f"session bearer update callid {calls[3]} id 15 qci 2 arp 1")
dedicated[-1] = (15, True, 2, 1)
t.becomes(lambda: bearers("b", calls[3]), dedicated, "and what is changed of one")
t.equal(primary("a", calls[3])["trace"][-6:], SUB_SESSION * 2, "a change is no step of the call line")
t.ctl("a", f"session bearer create callid {calls[3]} id 7 qci 5")
t.becomes(lambda: len(bearers("b", calls[3])), 4, "one more")
t.ctl("a", f"session bearer delete callid {calls[3]} id 7")
t.becomes(lambda: bearers("b", calls[3]), dedicated, "one that ends is gone there too")
t.equal(bearers("a", calls[3]), dedicated, "as it is here")
for chassis, line, why in (
        ("a", "create callid 0badbeef id 6 qci 1", "no such session"),
        ("a", "delete callid 0badbeef id 6", "no such session"),
        ("a", f"delete callid {calls[3]} id 8", "the call has no bearer 8"),
        ("b", f"create callid {calls[3]} id 8 qci 1", "not permitted in this role"),
        ("b", f"delete callid {calls[3]} id 6", "not permitted in this role"),
        ("a", f"create callid {calls[3]} id 5 qci 1", "5"),
        ("a", f"create callid {calls[3]} id 16 qci 1", "16"),
        ("a", f"create callid {calls[3]} id 6 qci 255", "255"),
        ("a", f"delete callid {calls[3]} id 5", "5")):
    t.check(why in (t.refused(chassis, "session bearer " + line) or ""), f"{line}: {why}")
t.equal((bearers("a", calls[3]), bearers("b", calls[3])), (dedicated, dedicated),
        "what was refused changed nothing")

t.say("the other copy")
d = debug("a", f"callid {call}")
own = debug("b", f"callid {call}")
t.equal((d["peer"]["status"], d["peer"]["state"], d["peer"]["trace"]),
        (own["primary"]["status"], own["primary"]["state"], own["primary"]["trace"]),
        "SR-54, SR-55: it is what the peer chassis shows itself")
t.equal((d["peer"]["status"], d["peer"]["Full"], d["peer"]["Micro"]),
        ("Recreated Session", (0, 0, 0, 0), (0, 0, 0, 0)),
        "SR-55: recreated, with no checkpoints of its own")

t.say("checkpoints")
user = t.socket("ue", sub4(1), 7100)
before = primary("a", call)
for _ in paced(1.1, 3.3):
    echo(user, server, b"micro", (v4(70), 7007))
t.synchronised("a", "b")
after = primary("a", call)
t.check(after["Micro"][0] > before["Micro"][0] and after["Micro"][1] > before["Micro"][1],
        "SR-46: micro checkpoints are counted", before["Micro"], after["Micro"])
t.check(after["Full"][0] >= 1 and after["Full"][0] == after["Full"][1],
        "SR-45: so was the full one", after["Full"])
idle = calls[4]


def timed():
    """What is shown now, and between which times that was."""
    asked = time.monotonic()
    return primary("a", idle), asked, time.monotonic()


one, *at = timed()
wait_for("five seconds", PATIENCE, lambda: primary("a", idle)["Full"][2] >= one["Full"][2] + 4900, 0.2)
two, *later = timed()
for name in ("Full", "Micro"):
    t.equal(two[name][:2], one[name][:2], f"SR-47: {name}: nothing was sent for an idle call")
    t.check(not one[name][0] or
            (later[0] - at[1]) * 1000 - 20 < two[name][2] - one[name][2] < (later[1] - at[0]) * 1000 + 20,
            f"SR-47: {name}: the age of the last one grows by the time that passed", one[name], two[name])

t.say("a fragment that never comes")
sent_first = time.monotonic()
unfinished = primary("a", calls[2])["reassembly"]
send(fragment(2, 0, 1, whole[:800], sub4(2)))
t.becomes(lambda: primary("a", calls[2])["reassembly"]["In Progress"], unfinished["In Progress"] + 1,
          "SR-52: in progress, and the rest does not come")

t.say("with the link cut, attempts rise, and successes do not")
for c, to in (("a", "10.3.0.3"), ("b", "10.3.0.2")):
    t.sh(c, "ip", "neigh", "replace", to, "lladdr", "02:00:00:00:00:01", "dev", "srp0", "nud",
         "permanent")
before = primary("a", call)
# At once: what is given up as a connection is tried no more.
t.ctl("a", f"session add imsi 001010000000019 username user19 apn internet ip-address {sub4(19)}")
cut = t.callid("a", v4=sub4(19))
for _ in paced(0.3, 2.5):
    echo(user, server, b"while it is cut", (v4(70), 7007))
after, new = primary("a", call), primary("a", cut)
for c, to in (("a", "10.3.0.3"), ("b", "10.3.0.2")):
    t.sh(c, "ip", "neigh", "del", to, "dev", "srp0")
t.check(after["Micro"][0] > before["Micro"][0] and after["Micro"][1] == before["Micro"][1],
        "SR-46: micro: attempts alone", before["Micro"], after["Micro"])
t.check(new["Full"][0] >= 1 and new["Full"][1] == 0, "SR-45: full: attempts alone", new["Full"])
t.synchronised("a", "b", 30)
t.becomes(lambda: primary("a", cut)["Full"][1] >= 1, True, "SR-45: success when the link is back")

t.say("segments out of order")
request = b"GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n"
before = primary("a", calls[2])["reorder"]
send(segment(41000, 999, 0, 2))
send(segment(41000, 1000 + 20, 1, 16, request[20:]))
send(segment(41000, 1000, 1, 16, request[:20]))
t.becomes(lambda: primary("a", calls[2])["reorder"]["Total out-of-seq arrived"],
          before["Total out-of-seq arrived"] + 1, "SR-51: a segment before its turn is counted")
t.becomes(lambda: t.flow("a", subscriber=sub4(2), subscriber_port=41000)["rule"], "web",
          "SR-51: and was put in its place: the flow is recognised")
send(segment(41001, 999, 0, 2))
send(segment(41001, 1000 + 20, 1, 16, request[20:]))
t.becomes(lambda: primary("a", calls[2])["reorder"]["Total timer expiry"],
          before["Total timer expiry"] + 1, "SR-51: the missing one does not come: timer expiry", 10)
t.check(primary("a", calls[2])["reorder"]["Total flush (tmr expiry)"] >
        before["Total flush (tmr expiry)"], "SR-51: what was behind it is flushed")
send(segment(41002, 999, 0, 2))
send(segment(41002, 1000 + 2000000, 1, 16, b"far away"))
t.becomes(lambda: primary("a", calls[2])["reorder"]["Total flush (out of range)"] >
          before["Total flush (out of range)"], True, "SR-51: one that is out of range is counted")

t.say("fragments")
before = primary("a", calls[3])["reassembly"]
send(fragment(1, 0, 1, whole[:800]))
t.becomes(lambda: primary("a", calls[3])["reassembly"]["In Progress"], before["In Progress"] + 1,
          "SR-52: a datagram of which a part has come: in progress")
send(fragment(1, 800, 0, whole[800:]))
t.becomes(lambda: primary("a", calls[3])["reassembly"]["Success"], before["Success"] + 1,
          "SR-52: then the other: success")
t.equal(primary("a", calls[3])["reassembly"]["In Progress"], before["In Progress"],
        "SR-52: and no more in progress")

t.say("redirected flows")
before = primary("a", walled)["redirect"]
t.equal(before["Allowed"], 2000, "SR-53: 2000 are allowed")
web = t.listen("srv", v4(10), 80)
client = t.socket("ue", sub4(5), 42000, socket.SOCK_STREAM)
client.connect((v4(10), 80))
client.sendall(request)
said = comes(client) or b""
t.check(b"302" in said.split(b"\r\n")[0] and b"http://portal.example.test/" in said,
        "SR-53: the request is answered by the portal's address", said)
t.becomes(lambda: {k: primary("a", walled)["redirect"][k] - before[k] for k in ("Current", "Added")},
          {"Current": 1, "Added": 1}, "SR-53: the entry is counted")
reset(client)
t.becomes(lambda: primary("a", walled)["redirect"]["Deleted"], before["Deleted"] + 1,
          "SR-53: it ends with its flow", 10)
t.equal(primary("a", walled)["redirect"]["Current"], before["Current"], "SR-53: none is left")

t.say("the fragment that never came")
t.becomes(lambda: primary("a", calls[2])["reassembly"]["Failure (timeout)"],
          unfinished["Failure (timeout)"] + 1, "SR-52: half a minute later that is a timeout",
          40 - (time.monotonic() - sent_first))

t.say("after a recovery")
was = {i: debug("a", f"callid {c}") for i, c in calls.items()}
tasks.wait_ready("a")
for i in (1, 2):
    number = len(tasks.events("a"))
    tasks.kill("a", ("sessmgr", i))
    tasks.wait_event("a", number)
    tasks.wait_ready("a")
for i, c in calls.items():
    d = debug("a", f"callid {c}")
    t.equal((d["callid"], d["msid"], d["username"], d["instance"], d["cpu"]),
            tuple(was[i][k] for k in ("callid", "msid", "username", "instance", "cpu")),
            f"SR-42: call {i}: the same call, at the same instance")
    t.equal((d["primary"]["status"], d["primary"]["state"]), ("Recreated Session", "CONNECTED"),
            f"SR-44: call {i}: recreated")
    t.equal(d["primary"]["trace"][:1], [AGAIN], f"SR-50: call {i}: the trace begins where it went on")
    t.check(all(s == "CONNECTED" for s, _ in d["primary"]["trace"][1:]),
            f"SR-50: call {i}: and goes on connected", d["primary"]["trace"])
    t.equal(keys(d), keys(was[i]), f"SR-56: call {i}: the same fields as before")
t.equal((bearers("a", calls[3]), bearers("b", calls[3])), (dedicated, dedicated),
        "the dedicated bearers are there again")
new = t.add("a", 6)
t.equal(primary("a", new)["status"], "Original Session", "SR-44: a new call is original")

t.say("redirected, while the session manager dies")
tasks.wait_ready("a")
own, number = t.sessions("a", callid=walled)[0]["instance"], len(tasks.events("a"))
for n in range(8):
    client = t.socket("ue", sub4(5), 42100 + n, socket.SOCK_STREAM)
    client.connect((v4(10), 80))
    if n == 3:
        tasks.kill("a", ("sessmgr", own))
    client.sendall(request)
    said = comes(client) or b""
    t.check(b"302" in said.split(b"\r\n")[0], f"connection {n}: the request is redirected"
            f"{', after a death behind the handshake' if n == 3 else ''}", said)
    reset(client)
tasks.wait_event("a", number)

t.say("the peer holds what is newer than the mirror")
tasks.wait_ready("a")
t.synchronised("a", "b")
first = next(c for c in calls.values() if t.sessions("a", callid=c)[0]["instance"] == 1)
held, number = len(t.sessions("a", instance=1)), len(tasks.events("a"))
os.kill(tasks.pid("a", "aaamgr", 1), signal.SIGSTOP)
t.ctl("a", f"session bearer create callid {first} id 9 qci 3")
late = {t.add("a", i) for i in range(7, 11)}
mine = {s["callid"] for s in t.sessions("a", instance=1)} & late
t.check(mine, "sessions that the mirror does not hear of")
t.becomes(lambda: mine <= {s["callid"] for s in t.sessions("b")}, True, "the peer holds them")
changed = bearers("a", first)
t.becomes(lambda: bearers("b", first), changed, "and what is newer of another")
tasks.kill("a", ("sessmgr", 1))
e = tasks.wait_event("a", number)
t.check(e.recovered <= held, "the mirror did not hold them", e, held)
t.becomes(lambda: late <= {s["callid"] for s in t.sessions("a")}, True, "they come from the peer", 10)
t.becomes(lambda: bearers("a", first), changed, "and what is newer")
t.equal(t.counter("a", "sr_lost_sessions"), 0, "none is lost")
tasks.wait_ready("a")
t.synchronised("a", "b")
t.switch("a", "b")
t.equal(primary("b", new)["status"], "Recreated Session", "SR-44: after a switchover it is recreated")
late = t.sessions("b", callid=calls[3])
t.check(late, "the session of the fragments is there")
t.equal(bearers("b", calls[3]), dedicated, "and so are the dedicated bearers, at the new active")
t.synchronised("b", "a")
d, own = debug("b", f"callid {new}"), debug("a", f"callid {new}")
t.equal((d["peer"]["status"], d["peer"]["trace"]), (own["primary"]["status"], own["primary"]["trace"]),
        "SR-55: and the other copy is now that of the chassis that had it")
t.end()
END
