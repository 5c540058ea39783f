#!/bin/bash
# Every kind of traffic goes through the active chassis in both directions, and is charged to the
# byte: IPv4 and IPv6, TCP, UDP, ICMP echo, other protocols, fragments, ICMP errors.
. "${0%/*}/lib/traffic.sh"
t_begin ping

# shellcheck disable=SC2034 # of topology.sh
# A server address for each kind, so that an outside count by address is one by rule.
BED_RULES="
tcp   l34 10
udp   l34 20
echo  l34 30
other l34 40
frags l34 50
error l34 60
"
bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef tcp
		      tcp any-match = TRUE
		    #exit
		    ruledef udp
		      udp any-match = TRUE
		    #exit
		    ruledef echo
		      icmp any-match = TRUE
		    #exit
		    ruledef other
		      ip protocol = 47
		      ip protocol = 253
		      multi-line-or all-lines
		    #exit
		    ruledef frags
		      udp either-port = 7050
		    #exit
		    ruledef error
		      udp either-port = 7060
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef frags charging-action count
		      action priority 2 ruledef error charging-action count
		      action priority 3 ruledef tcp charging-action count
		      action priority 4 ruledef udp charging-action count
		      action priority 5 ruledef echo charging-action count
		      action priority 6 ruledef other charging-action count
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
import os
from traffic import *

call = t.add("a", 1)
ue, srv = t.tap("ue", "ue0"), t.tap("srv", "srv0")


def charged(rule, last, text):
    """A rule's counters and the session's volume are what the outside saw of its server."""
    def outside():
        return volume(ue.packets(), (v4(last), v6(last)))
    want = outside()
    t.check(want[0] and want[2], f"{text}: both directions were seen outside ({want})")
    t.becomes(lambda: t.rule("a", rule), lambda got: got == outside(),
              f"{text}: rule {rule} = outside")
    t.equal(t.volumes("a", callid=call).get(rule), outside(),
            f"{text}: volume of the session = outside")
    t.equal(volume(srv.packets(), (v4(last), v6(last))), outside(),
            f"{text}: nothing was lost or came twice")


t.say("TCP, opened by the subscriber and by the server")
for sub, server in ((sub4(1), v4(10)), (sub6(1), v6(10))):
    up = t.listen("srv", server, 8000)
    c, s = t.connect(up, "ue", sub)
    push(c, s, os.urandom(60000))
    push(s, c, os.urandom(90000))
    down = t.listen("ue", sub, 9000)
    d, e = t.connect(down, "srv", server)
    push(d, e, os.urandom(40000))
    t.equal(len(t.flows("a", protocol=6, server=server)), 2,
            f"{server}: two connections are two flows")
    for x in (c, s, d, e, up, down):
        x.close()
charged("tcp", 10, "TCP")

t.say("UDP, begun by the subscriber and by the server")
for sub, server in ((sub4(1), v4(20)), (sub6(1), v6(20))):
    s = t.socket("srv", server, 7020)
    c = t.socket("ue", sub, 7021)
    echo(c, s, b"up" * 300, (server, 7020))
    echo(s, c, b"down" * 300, (sub, 7021))
    first = t.socket("srv", server, 7022)
    echo(first, c, b"server first", (sub, 7021))
    echo(c, first, b"answer", (server, 7022))
    t.equal(len(t.flows("a", protocol=17, server=server)), 2,
            f"{server}: two flows, one for each pair of ports")
charged("udp", 20, "UDP")

t.say("ICMP echo")
for sub, server, proto in ((sub4(1), v4(30), 1), (sub6(1), v6(30), 58)):
    rc, out = t.sh("ue", "ping", "-c", "3", "-i", "0.1", "-W", "2", "-I", sub, server)
    t.check(rc == 0 and " 0% packet loss" in out, f"{server}: three echoes, three answers", out)
    t.equal(len(t.flows("a", protocol=proto, server=server)), 1, f"{server}: they are one flow")
charged("echo", 30, "ICMP echo")

t.say("other protocols: GRE and one for experiments")
for proto in (47, 253):
    for sub, server in ((sub4(1), v4(40)), (sub6(1), v6(40))):
        c, s = t.socket("ue", sub, 0, socket.SOCK_RAW, proto), t.socket("srv", server, 0,
                socket.SOCK_RAW, proto)
        body = b"\0\0\x08\0" + bytes(100)
        c.sendto(body, (server, 0))
        got = s.recv(4000)
        t.check(got.endswith(body), f"protocol {proto}, {server}: arrives")
        s.sendto(body, (sub, 0))
        t.check(c.recv(4000).endswith(body), f"protocol {proto}, {sub}: the answer arrives")
        t.equal(len(t.flows("a", protocol=proto, server=server)), 1, f"protocol {proto}: one flow")
charged("other", 40, "other protocols")

t.say("fragments: of their flow, and no flows")
before = t.counters("a")
for sub, server in ((sub4(1), v4(50)), (sub6(1), v6(50))):
    s, c = t.socket("srv", server, 7050), t.socket("ue", sub, 7051)
    echo(c, s, os.urandom(9000), (server, 7050))
    echo(s, c, os.urandom(20000), (sub, 7051))
    t.equal(len(t.flows("a", server=server)), 1, f"{server}: 9000 up and 20000 down are one flow")
    f = t.flows("a", server=server)[0]
    t.equal(f["rule"], "frags", f"{server}: on its rule")
frags = [p for p in ue.packets() if p.frag]
t.check(len(frags) > 30, f"outside {len(frags)} fragments were seen")
charged("frags", 50, "fragments")
after = t.counters("a")
firsts = len([p for p in frags if p.sport])
t.equal(after["fragments_followed"] - before["fragments_followed"], len(frags) - firsts,
        "every later fragment followed its first")
t.equal(after["fragment_no_first"], before["fragment_no_first"], "none was without a first")

t.say("a later fragment alone is forwarded, and is no flow")
n = len(t.flows("a"))
raw = t.socket("ue", sub4(1), 0, socket.SOCK_RAW, socket.IPPROTO_RAW)
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + 64, 4711, 200, 64, 17, 0,
                   socket.inet_aton(sub4(1)), socket.inet_aton(v4(50)))
seen = len(srv.packets(src=sub4(1), frag=True))
raw.sendto(head + bytes(64), (v4(50), 0))
t.becomes(lambda: t.counters("a")["fragment_no_first"], before["fragment_no_first"] + 1, "counted")
t.becomes(lambda: len(srv.packets(src=sub4(1), frag=True)), seen + 1, "forwarded")
t.equal(len(t.flows("a")), n, "no flow was made of it")

t.say("ICMP errors belong to the flow that they speak of")
before = t.counters("a")["icmp_errors"]
for sub, server in ((sub4(1), v4(60)), (sub6(1), v6(60))):
    c = t.socket("ue", sub, 7061)
    c.connect((server, 7060))
    c.send(b"nobody listens")
    t.check(arrives(c, 2) is None and any(p.proto in (1, 58) and p.src == server
                                          for p in ue.packets()),
            f"{server}: the answer is port unreachable")
    t.equal(len(t.flows("a", server=server)), 1, f"{server}: one flow")
    s = t.socket("srv", server, 7060)
    c.close()
    s.sendto(b"gone", (sub, 7061))
    t.becomes(lambda: any(p.proto in (1, 58) and p.dst == server for p in srv.packets()), True,
              f"{sub}: the subscriber's host answers port unreachable")
    t.equal(len(t.flows("a", server=server)), 1, f"{server}: still one flow")
charged("error", 60, "ICMP errors")
t.equal(t.counters("a")["icmp_errors"] - before, 4, "four errors were counted")

t.say("the sum")
all_ue = [p for p in ue.packets() if p.src in (sub4(1), sub6(1)) or p.dst in (sub4(1), sub6(1))]
every = [v4(x) for x in range(10, 70, 10)] + [v6(x) for x in range(10, 70, 10)]
t.equal(t.volumes("a", "session", call).get(""), volume(all_ue, every),
        "the session's volume is everything outside")
t.equal(t.volumes("a", "content-id", call).get("1")[1::2],
        tuple(sum(v[i] for n, v in t.volumes("a", callid=call).items() if n != "(no rule)")
              for i in (1, 3)),
        "and the content-id's is that of its rules")
t.quiet()
t.balanced("a", "b")
t.end()
END
