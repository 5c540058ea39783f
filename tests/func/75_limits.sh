#!/bin/bash
# Rate limits on traffic, of rules, of the subscriber's bandwidth-policy, of a QoS group and of bearers:
# what passes is compared with the tokens there were in the time that was measured. They go on from
# their tokens after the death of a session manager, a switchover, and kill -9 of the active chassis.
# Limits of flows.
export BED_SR=yes BED_GRO=yes
. "${0%/*}/lib/traffic.sh"
t_begin
t_srp 'control-pending timeout 600'

bed_config_charging() {
	local p
	echo "  active-charging service ecs"
	for p in 7001 7002 7003 7004 7005 7006 7007 7008; do
		printf '    ruledef u%d\n      udp either-port = %d\n    #exit\n' $p $p
	done
	cat <<-CONF
		    ruledef t8001
		      tcp either-port = 8001
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    bandwidth-policy subscriber
		      flow limit-for-bandwidth id 1 group-id 9
		      flow limit-for-bandwidth id 2 group-id 9
		      group-id 9 direction uplink peak-data-rate 160000 peak-burst-size 400000
		    #exit
		    qos-group-of-ruledefs both
		      add-ruledef u7004
		      add-ruledef u7005
		      flow limit-for-bandwidth direction uplink peak-data-rate 160000 peak-burst-size 400000
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action own
		      flow limit-for-bandwidth direction uplink peak-data-rate 160000 peak-burst-size 400000
		    #exit
		    charging-action first
		      flow limit-for-bandwidth id 1
		    #exit
		    charging-action second
		      flow limit-for-bandwidth id 2
		    #exit
		    charging-action lower
		      ip tos ef
		      flow limit-for-bandwidth direction uplink peak-data-rate 800 peak-burst-size 3000 violate-action lower-ip-precedence
		    #exit
		    charging-action megabit
		      flow limit-for-bandwidth direction uplink peak-data-rate 1000000 peak-burst-size 20000
		      flow limit-for-bandwidth direction downlink peak-data-rate 2000000 peak-burst-size 30000
		    #exit
		    rulebase gold
		      bandwidth default-policy subscriber
		      action priority 1 ruledef u7001 charging-action own
		      action priority 2 ruledef u7002 charging-action first
		      action priority 3 ruledef u7003 charging-action second
		      action priority 4 ruledef u7004 charging-action count
		      action priority 5 ruledef u7005 charging-action count
		      action priority 6 ruledef u7006 charging-action count
		      action priority 7 ruledef u7007 charging-action lower
		      action priority 8 ruledef u7008 charging-action megabit
		      action priority 9 ruledef t8001 charging-action megabit
		      action priority 99 ruledef any charging-action count
		    #exit
		    rulebase few
		      action priority 1 ruledef any charging-action count
		      flow limit-across-applications non-tcp 3
		      flow limit-across-applications tcp 1
		    #exit
		    system-limit flow-chkpt-per-call 100
	CONF
	t_recover 'rule-name starts-with u'
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import threading
from traffic import *

SERVER, SIZE = v4(20), 1000  # bytes of a packet, with its headers
call = {i: t.add("a", i) for i in (1, 2, 3)}
call[4] = t.add("a", 4, more="rulebase few")
tap = t.tap("srv", "srv0")
active = "a"
ue, servers = {}, [t.socket("srv", SERVER, p) for p in [*range(7001, 7010), 7100]]
RATE = 160000 / 8
# What is limited jointly: its call, ports, bytes a second, bytes of the bucket; who needs it.
LIMITS = {"rule": (1, [7001], RATE, 400000, "FR-057"), "ITC": (1, [7002, 7003], RATE, 400000, "FR-058"),
          "QoS group": (1, [7004, 7005], RATE, 400000, "FR-059"),
          "bearer": (2, [7006], 8000 / 8, 15000, "FR-056")}


def send(i, port, n=1):
    if (i, port) not in ue:
        ue[(i, port)] = t.socket("ue", sub4(i), 20000 + port)
    for _ in range(n):
        ue[(i, port)].sendto(bytes(SIZE - 28), (SERVER, port))


def passed(i, port):
    return sum(p.size for p in tap.packets(src=sub4(i), dport=port))


def reads():
    return t.counter(active, "tun_read")


def are_read(before, n):
    """So many packets more have been read by the active: no queue of the kernel has lost any, none is under way."""
    wait_for(f"{n} packets to be read", PATIENCE, lambda: reads() - before >= n, 0.01,
             lambda: reads() - before)


def offer(i, port, n):
    """Sends, and waits until all were read."""
    before = reads()
    send(i, port, n)
    are_read(before, n)


def flood(what, factor):
    """Offers to each limit `factor` times its bucket in about a second; bytes offered by port."""
    offered = {}
    for step in paced(0.05, 1):
        before, sent = reads(), 0
        for name in what:
            i, ports, _, size, _ = LIMITS[name]
            for port in ports[::1 - step % 2 * 2]:  # each is the first at times
                n = int(size * factor / SIZE / 20 / len(ports)) + 1
                send(i, port, n)
                offered[(i, port)] = offered.get((i, port), 0) + n * SIZE
                sent += n
        are_read(before, sent)
    return offered


def through(name):
    i, ports = LIMITS[name][:2]
    return sum(passed(i, p) for p in ports)


def drain(text):
    """Empties all buckets, however full they are; when they were empty."""
    tap.forget()
    begin = time.monotonic()
    offered = flood(LIMITS, 1.5)
    empty = time.monotonic()
    for name, (i, ports, rate, size, fr) in LIMITS.items():
        got = through(name)
        t.check(got <= size + rate * (empty - begin) + SIZE, f"{fr}: {name}, {text}: not more than "
                "its tokens", got, size)
    return offered, begin, empty


def goes_on(empty, text):
    """What passes now is what has flowed in since the buckets were empty."""
    tap.forget()
    flood(LIMITS, 1.5)
    now = time.monotonic()
    for name, (i, ports, rate, size, fr) in LIMITS.items():
        got, tokens = through(name), rate * (now - empty)
        # a second may pass between what was used and what is told of it; packets are whole
        t.check(got <= tokens + rate + 3 * SIZE, f"{fr}: {name}, {text}: no fresh bucket", got, tokens)
        t.check(got >= min(tokens, size * 0.5) / 2 - SIZE, f"{fr}: {name}, {text}: and not an empty one",
                got, tokens)
        for p in ports:
            t.check(passed(i, p) > 0, f"{fr}: {name}, {text}: port {p} has its part")


def kill_sessmgrs(c):
    def pids():
        return {r["instance"]: r["pid"] for r in t.bed.show(c, "show task resources", "task", "pid")
                if r["task"] == "sessmgr" and r["instance"]}
    old = pids()
    for n in {s["instance"] for s in t.sessions(c) if s["callid"] in (call[1], call[2])}:
        os.kill(old[n], 9)
        t.becomes(lambda: pids().get(n), lambda p: p not in (None, 0, old[n]),
                  f"session manager {n} lives again", 10)
    t.becomes(lambda: {call[1], call[2]} <= {s["callid"] for s in t.sessions(c)}, True,
              "with its calls", 10)


def limit(c, i, of):
    got = [x for x in t.bed.show(c, f"show active-charging rate-limits callid {call[i]}", "of", "id")
           if x["of"] == of]
    return got[0] if len(got) == 1 else {}


def stats(c, what, name, direction="uplink"):
    got = [x for x in t.bed.show(c, f"show active-charging {what} statistics", "name", "violated_bytes")
           if x["name"] == name and x["direction"] == direction]
    return got[0] if len(got) == 1 else {}


# --- empty for the first time: what is counted is what has passed, and what has not
t.say("limits")
t.ctl("a", f"session bearer update callid {call[2]} id 5 qci 9 mbr-uplink 8")
offered, began, empty = drain("full")
for name, (i, ports, rate, size, fr) in LIMITS.items():
    got = through(name)
    t.check(got >= min(size, sum(offered[(i, p)] for p in ports)) * 0.95, f"{fr}: {name}: its whole bucket "
            "passes at once", got, size)
for name, what, key, of, port in (("rule", "charging-action", "own", "charging-action", 7001),
                                  ("bearer", "bearers", "qci 9", "bearer", 7006)):
    i = LIMITS[name][0]
    s, l = stats("a", what, key), limit("a", i, of)
    t.equal((s.get("conformed_bytes"), s.get("violated_bytes")),
            (passed(i, port), offered[(i, port)] - passed(i, port)), f"{name}: conformed and violated bytes")
    t.equal((l.get("conformed_bytes_up"), l.get("violated_bytes_up")),
            (s.get("conformed_bytes"), s.get("violated_bytes")), f"{name}: the same for the call")
b = [x for x in t.bed.show("a", f"show active-charging bearers callid {call[2]}", "bearer", "violated_bytes")]
t.equal(b[0]["conformed_bytes"], passed(2, 7006), "the bearer says it as well")
for what, key, ports in (("bandwidth-policy", "subscriber 9", (7002, 7003)),
                         ("qos-group-of-ruledefs", "both", (7004, 7005))):
    t.equal(stats("a", what, key).get("conformed_bytes"), sum(passed(1, p) for p in ports),
            f"{what}: conformed bytes of both rules")
t.check("id 1 group-id 9" in t.ctl("a", "show active-charging bandwidth-policy name subscriber") and
        "add-ruledef u7005" in t.ctl("a", "show active-charging qos-group-of-ruledefs all"), "shown")
t.equal(t.rule("a", "u7001")[1], passed(1, 7001), "what is dropped is not charged")

# --- meanwhile: a committed rate of a megabit and MBR, as ratios
t.say("rates")
t.ctl("a", f"session bearer update callid {call[3]} id 5 qci 9 mbr-uplink 2000")
for port, rate, size, text in ((7008, 1e6 / 8, 20000, "FR-057: 1 Mb/s of a rule"),
                               (7009, 2e6 / 8, 25000, "FR-056: MBR 2 Mb/s")):
    tap.forget()
    begin = time.monotonic()
    offered = 0
    for _ in paced(15 * SIZE / rate / 3, 1.5):  # three times the rate, if the machine is fast enough
        offer(3, port, 15)
        offered += 15 * SIZE
    over = time.monotonic()
    got, took = passed(3, port), time.monotonic() - begin
    t.check(got <= size + rate * took + SIZE, f"{text}: not more than its tokens", got, size + rate * took)
    t.check(got >= 0.8 * min(offered, rate * (over - begin)), f"{text}: and hardly less", got, offered,
            rate * (over - begin))

# --- a TCP connection, in super-packets: 2 Mb/s down
listener = t.listen("srv", SERVER, 8001)
client, server = t.connect(listener, "ue", sub4(3))
begin, want = time.monotonic(), 300000
data = bytearray()
writer = threading.Thread(target=server.sendall, args=(bytes(want),), daemon=True)
writer.start()
while len(data) < want:
    data += client.recv(65536)
took = time.monotonic() - begin
t.check(want <= 30000 + 65536 + 2e6 / 8 * took, "TCP gets no more than its tokens", took)
t.check(stats("a", "charging-action", "megabit", "downlink").get("violated_bytes", 0) > 0,
        "and was told so by loss")

# --- the death of a session manager
t.say("session recovery")
empty = drain("emptied again")[2]
t.quiet()
kill_sessmgrs("a")
goes_on(empty, "after the death of a session manager")
t.check(t.flow("a", subscriber=sub4(1), server_port=7001)["recovered"], "FR-057: of a recovered flow")

# --- a planned switchover, and kill
t.say("switchover")
empty = drain("emptied once more")[2]
t.synchronised("a", "b")
t.balanced("a", "b")
t.switch("a", "b")
active = "b"
goes_on(empty, "after a switchover")
t.say("kill -9")
t.synchronised("b", "a")
empty = drain("emptied on B")[2]
t.quiet("b", "a")
t.takeover("b", "a")
active = "a"
goes_on(empty, "after kill -9")
t.check(t.flow("a", subscriber=sub4(1), server_port=7001)["recovered"], "FR-057: of a recovered flow")
t.check(t.flow("a", subscriber=sub4(2), server_port=7006)["recovered"], "FR-056: of a recovered flow")

# --- a limit that only lowers
t.say("lower-ip-precedence, MBR of rules and bearers, flows")
tap.forget()
send(1, 7007, 10)
t.becomes(lambda: [p.data[1] for p in tap.packets(src=sub4(1), dport=7007)],
          [46 << 2] * 3 + [(46 << 2) & 0x1f] * 7, "beyond the rate: without IP precedence")

# --- the MBR of a rule that the call was given, of a dedicated bearer; none
t.ctl("a", f'session rule install callid {call[1]} name given precedence 1 mbr-uplink 8 filters "udp any port 7009"')
tap.forget()
offer(1, 7009, 40)
t.equal(passed(1, 7009), 15000, "MBR of a dynamic rule")
t.ctl("a", f"session rule remove callid {call[1]} name given")
tap.forget()
offer(1, 7009, 40)
t.equal(passed(1, 7009), 40000, "without it: all")
t.ctl("a", f'session bearer create callid {call[1]} id 6 qci 1 mbr-uplink 8 tft "udp any port 7009"')
tap.forget()
offer(1, 7009, 40)
t.equal(passed(1, 7009), 15000, "FR-083: MBR of the dedicated bearer of a static rule")
t.ctl("a", f"session bearer update callid {call[1]} id 6 mbr-uplink 0")
tap.forget()
offer(1, 7009, 40)
t.equal(passed(1, 7009), 40000, "MBR 0: none")

# --- limits of flows
before = reads()
for n in range(5):
    s = t.socket("ue", sub4(4), 30000 + n)
    s.sendto(b"x", (SERVER, 7100))
are_read(before, 5)
t.equal(len(tap.packets(src=sub4(4), dport=7100)), 3, "flow limit-across-applications non-tcp 3")
t.equal(t.counter("a", "drop_flow_limit"), 2, "the others are counted")
one, other = t.connect(listener, "ue", sub4(4))
push(one, other, b"x" * 100)
s = t.socket("ue", sub4(4), 0, socket.SOCK_STREAM)
s.settimeout(0.5)
try:
    s.connect((SERVER, 8001))
    t.check(False, "a second TCP flow is not begun")
except OSError:
    t.check(True, "a second TCP flow is not begun")
t.end()
END
