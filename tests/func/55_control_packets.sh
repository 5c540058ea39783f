#!/bin/bash
# Packets of TCP without payload on an application's flow: by default each is charged by what it
# matches itself and takes back the flow's checkpoint, which the next payload sends again; `flow
# control-handshaking charge-to-application` charges set-up, mid-session and tear-down packets to
# it.
. "${0%/*}/lib/traffic.sh"
t_begin

MODES="none: all:all-packets initial:initial-packets mid:mid-session-packets tear:tear-down-packets
	two:mid-session-packets,tear-down-packets"
bed_config_charging() {
	local m what
	cat <<-CONF
		  active-charging service ecs
		    ruledef web
		      http host = www.test
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
	CONF
	for m in $MODES; do
		what=${m#*:}
		echo "    rulebase ${m%%:*}"
		echo "      action priority 1 ruledef web charging-action count"
		echo "      action priority 2 ruledef any charging-action count"
		[ -z "$what" ] || echo "      flow control-handshaking charge-to-application ${what//,/ }"
		echo "      tcp 2msl-timeout 20" # nothing ends before it was looked at
		echo "    #exit"
	done
	t_recover "rule-name = web" | sed 's/rulebase = gold/any-match = TRUE/'
	cat <<-CONF
		    rulebase gold
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
import signal

from traffic import *

TAKES = {"none": set(), "all": {"setup", "mid", "tear"}, "initial": {"setup"}, "mid": {"mid"},
         "tear": {"tear"},
         "two": {"mid", "tear"}}
REQUEST, ANSWER = b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
web = t.listen("srv", v4(10), 80)
tap = t.tap("ue", "ue0")


def flow_rows():
    c = t.checkpoints("a")
    return tuple(c.get(k, {}).get("sent", 0) for k in ("ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO"))


def phase(packets):
    """The packets of a connection by what they are: set-up, payload, mid-session, tear-down."""
    kinds, payload, fin = [], False, False
    for p in packets:
        fin = fin or bool(p.flags & 1)
        kinds.append("payload" if p.payload else "setup" if p.flags & 2 or not (fin or payload) else
                     "tear" if fin else "mid")
        payload = payload or p.payload > 0
    return kinds


for i, (mode, takes) in enumerate(TAKES.items(), 1):
    t.say(f"rulebase {mode}")
    call = t.add("a", i, more=f"rulebase {mode}")
    t.synchronised("a", "b")
    before = flow_rows()
    c, s = t.connect(web, "ue", sub4(i), 20000 + i)
    for x in (c, s):
        x.setsockopt(socket.IPPROTO_TCP, 12,
                     1)  # TCP_QUICKACK: answers are acknowledged by themselves
    if "setup" in takes:
        t.equal(t.volumes("a", callid=call), {}, "set-up packets wait for the application")
    for _ in range(3):
        push(c, s, REQUEST)
        t.delivered()
        push(s, c, ANSWER)
        t.delivered()
    t.equal(t.flow("a", subscriber=sub4(i))["rule"], "web", "the flow's rule is the application's")
    alive = t.flow("a", subscriber=sub4(i))["checkpointed"]
    c.shutdown(socket.SHUT_WR)
    s.close()
    t.equal(comes(c), b"", "the server has closed it as well")
    c.close()

    def packets():
        return tap.packets(peer=sub4(i), proto=6)
    wait_for("both FINs and their acknowledgements", PATIENCE,
             lambda: len([p for p in packets() if p.flags & 1]) >= 2
             and packets()[-1].flags & 0x11 == 0x10)

    def expected():
        want = {"web": [], "any": []}
        for p, kind in zip(packets(), phase(packets())):
            want["web" if kind == "payload" or kind in takes else "any"].append(p)
        return {n: volume(ps, v4(10)) for n, ps in want.items() if ps}
    t.becomes(lambda: t.volumes("a", callid=call), lambda got: got == expected(),
              f"FR-091, FR-093, FR-094: charged to the application: payload{''.join(', ' + x for x in sorted(takes))}; the rest by the L3/L4 rule")
    kinds = phase(packets())
    t.check(kinds.count("setup") == 3 and kinds.count("mid") >= 2 and kinds.count("tear") >= 3,
            f"the connection had set-up, payload, mid-session and tear-down packets: {len(kinds)}",
            kinds)
    t.synchronised("a", "b")
    sent, deleted = (x - y for x, y in zip(flow_rows(), before))
    if "mid" in takes:
        t.check(alive, "after its last answer the flow is checkpointed")
        t.equal(deleted, 0 if "tear" in takes else 1,
                "FR-093, FR-094: its checkpoint was not taken back" + ("" if "tear" in takes
                                                       else " before it closed"))
    else:
        runs = sum(1 for x, y in zip(kinds, kinds[1:]) if x == "payload" and y == "mid")
        t.check(not alive or kinds[-1] == "payload", "while it rests the flow is not checkpointed")
        t.check(deleted >= 2 and sent >= deleted,
                f"its checkpoint was taken back for them and sent again "
                f"({sent} sent, {deleted} deleted, {runs} changes)")
    t.ctl("a", f"clear active-charging flows callid {call}")
t.becomes(lambda: (len(t.flows("a")), len(t.flows("b"))), (0, 0),
          "cleared flows are gone on both sides")
t.quiet()
t.balanced("a", "b")

t.say("the session manager dies while packets wait for the application")
call = t.add("a", 20, more="rulebase all")
t.synchronised("a", "b")
c, s = t.connect(web, "ue", sub4(20), 20020)
wait_for("the set-up", 5, lambda: len(tap.packets(peer=sub4(20), proto=6)) == 3)
setup = volume(tap.packets(peer=sub4(20), proto=6), v4(10))


def of_session(chassis="a"):
    return list(t.volumes(chassis, of="session", callid=call).values())


t.becomes(of_session, [setup], "set-up packets are the session's at once")
t.becomes(lambda: of_session("b"), [setup], "within a second at the peer, too", 5)
t.equal(t.volumes("a", callid=call), {}, "and of no rule yet")
inst = t.sessions("a", callid=call)[0]["instance"]
os.kill(next(r["pid"] for r in t.bed.show("a", "show task resources", "pid", "starts")
             if (r["task"], r["instance"]) == ("sessmgr", inst)), signal.SIGKILL)
t.becomes(lambda: t.volumes("a", callid=call), {"(no rule)": setup},
          "after its recovery what waited is charged, by no rule", 15)
t.equal(of_session(), [setup], "and the session has it once")
for x in (c, s):
    x.close()
t.becomes(lambda: t.synchronised("a", "b"), None, "the pair is level again", 15)

t.say("packet by packet: hosts that do not answer by themselves")
call = t.add("a", 30, more="rulebase none")
raws = {ns: t.socket(ns, "0.0.0.0", 0, socket.SOCK_RAW, socket.IPPROTO_RAW) for ns in ("ue", "srv")}


far = {True: t.tap("srv", "srv0"), False: tap}


def send(up, flags, payload=b""):
    """A segment of a connection between addresses that nobody has: nobody answers but this test. Waits
    until it has come through."""
    seen = len(far[up].packets(peer=v4(99), dst=v4(99) if up else sub4(30)))
    src, dst, sport, dport = (sub4(30), v4(99), 22000, 80) if up else (v4(99), sub4(30), 80, 22000)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, 1000, 1, 0x50, flags, 8192, 0, 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    raws["ue" if up else "srv"].sendto(head + tcp, (dst, 0))
    wait_for("the segment to come through", PATIENCE,
             lambda: len(far[up].packets(peer=v4(99), dst=v4(99) if up else sub4(30))) > seen,
             0.002)


def there():
    return [(f["rule"], f["recovered"]) for f in t.flows("b", subscriber_port=22000)]


send(True, 0x02)
send(False, 0x12)
send(True, 0x10)
send(True, 0x18, REQUEST)
t.becomes(there, [("web", False)], "the standby has the flow")
t.synchronised("a", "b")
first = flow_rows()
good = 0
for _ in range(20):
    send(False, 0x10)
    wait_for("the deletion", PATIENCE, lambda: not there(), 0.01)
    send(False, 0x18, ANSWER)
    wait_for("the checkpoint", PATIENCE, there, 0.01)
    good += 1
t.quiet()
last = flow_rows()
t.equal((good, last[0] - first[0], last[1] - first[1]), (20, 20, 20),
        "FR-092: twenty alternations: twenty deletions, twenty checkpoints")
t.takeover("a", "b")
t.becomes(there, [("web", True)], "after kill -9 of A the flow is recovered")
before = t.volumes("b", callid=call)
for up in (True, False):
    send(up, 0x10)
    send(up, 0x18, b"more")
    send(up, 0x11)
grown = {n: v[0] + v[2] - before[n][0] - before[n][2] for n,
         v in t.volumes("b", callid=call).items()}
t.equal(grown, {"web": 6, "any": 0}, "and stays on its rule with all its packets, in any mode")
t.end()
END
