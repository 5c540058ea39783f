#!/bin/bash
# Ruledefs beyond addresses and plain strings: host-pools, port-maps, names in URLs and header fields,
# responses, what sessions say, names of addresses by DNS, applications; and rules of any definition,
# groups and applications made eligible and recovered. FR numbers: chassis-requirements(7).
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    host-pool near
		      ip 198.51.100.0/28
		      ip range 198.51.100.20 to 198.51.100.21
		    #exit
		    imsi-pool some
		      imsi range 001010000000001 to 001010000000009
		    #exit
		    port-map games
		      port 7005
		      port range 7100 to 7110
		    #exit
		    ruledef pooled
		      ip server-ip-address range host-pool near
		      udp dst-port range port-map games
		    #exit
		    ruledef unknown-pool
		      ip server-ip-address range host-pool nobody
		    #exit
		    ruledef missing
		      http reply code = 404
		    #exit
		    ruledef poster
		      http request method = post
		    #exit
		    ruledef attribute
		      http attribute-in-url id starts-with 47
		    #exit
		    ruledef header
		      http x-header X-Class = gold
		    #exit
		    ruledef domain
		      www domain = shop.test
		    #exit
		    ruledef uri
		      http uri = /only/path
		    #exit
		    ruledef image
		      http content type starts-with image/
		    #exit
		    ruledef encrypted
		      secure-http any-match = TRUE
		    #exit
		    ruledef quic
		      p2p app-identifier quic-sni ends-with video.test
		    #exit
		    ruledef named
		      ip server-domain-name = cdn.test
		    #exit
		    ruledef torrent
		      p2p protocol = bittorrent
		    #exit
		    ruledef shell
		      p2p protocol = ssh
		    #exit
		    ruledef access
		      bearer 3gpp apn = internet
		      udp dst-port = 7300
		    #exit
		    ruledef mine
		      bearer 3gpp imsi range imsi-pool some
		      udp dst-port = 7301
		    #exit
		    ruledef others
		      bearer 3gpp imsi !range imsi-pool some
		    #exit
		    ruledef one
		      udp dst-port = 7401
		    #exit
		    ruledef two
		      udp dst-port = 7402
		    #exit
		    ruledef early
		      udp dst-port = 7601
		    #exit
		    ruledef late
		      udp dst-port = 7602
		    #exit
		    ruledef tcp
		      tcp either-port = 8000
		    #exit
		    ruledef sctp
		      ip protocol = 132
		    #exit
		    ruledef ping
		      icmp any-match = TRUE
		    #exit
		    ruledef routed
		      rule-application routing
		      ip any-match = TRUE
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    ruledef share
		      p2p behavioral = p2p
		      tcp either-port = 6882
		    #exit
		    ruledef remote
		      p2p protocol = ssh
		      tcp either-port = 2222
		    #exit
		    group-of-ruledefs mixed
		      add-ruledef priority 1 ruledef share
		      add-ruledef priority 2 ruledef remote
		    #exit
		    group-of-ruledefs both
		      add-ruledef priority 1 ruledef one
		      add-ruledef priority 2 ruledef two
		    #exit
		    group-of-ruledefs early-group
		      add-ruledef priority 1 ruledef early
		    #exit
		    group-of-ruledefs late-group
		      add-ruledef priority 1 ruledef late
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef quic charging-action count
		      action priority 25 ruledef routed charging-action count
		      action priority 2 ruledef unknown-pool charging-action count
		      action priority 3 ruledef pooled charging-action count
		      action priority 4 ruledef missing charging-action count
		      action priority 5 ruledef poster charging-action count
		      action priority 6 ruledef attribute charging-action count
		      action priority 7 ruledef header charging-action count
		      action priority 8 ruledef domain charging-action count
		      action priority 9 ruledef uri charging-action count
		      action priority 10 ruledef image charging-action count
		      action priority 11 group-of-ruledefs mixed charging-action count
		      action priority 12 ruledef torrent charging-action count
		      action priority 13 ruledef shell charging-action count
		      action priority 14 ruledef encrypted charging-action count
		      action priority 15 ruledef named charging-action count
		      action priority 16 ruledef access charging-action count
		      action priority 26 ruledef others charging-action count
		      action priority 27 ruledef mine charging-action count
		      action priority 17 group-of-ruledefs both charging-action count
		      action priority 18 ruledef tcp charging-action count
		      action priority 19 ruledef sctp charging-action count
		      action priority 20 ruledef ping charging-action count
		      action priority 21 group-of-ruledefs early-group charging-action count
		      action priority 22 ruledef early charging-action count
		      action priority 23 ruledef late charging-action count
		      action priority 24 group-of-ruledefs late-group charging-action count
		      action priority 90 ruledef any charging-action count
		      flow control-handshaking charge-to-application all-packets
		    #exit
		    system-limit flow-chkpt-per-call 100
	CONF
	t_recover "rule-name = pooled" "rule-name = attribute" "rule-name = torrent" "rule-name = shell" \
		"rule-name = both" "rule-name = tcp" "rule-name = sctp" "rule-name = ping" \
		"rule-name = named" "rule-name = quic" "rule-name = access" "rule-name starts-with early" \
		"rule-name starts-with late" "rule-name = mixed"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import struct

import quic
from ruletable import checksum, hello, question
from traffic import *

call = t.add("a", 1)
kept, port = [], 30000


def on(chassis, sport, proto=6):
    found = t.flows(chassis, subscriber_port=sport, protocol=proto)
    return (found[0]["rule"], found[0]["recovered"]) if len(found) == 1 else f"{len(found)} flows"


def tcp(data, answer, to=80, six=False):
    """A connection of its own; the subscriber's port."""
    global port
    port += 1
    sub, server = (sub6(1), v6(10)) if six else (sub4(1), v4(10))
    if (server, to) not in listeners:
        listeners[server, to] = t.listen("srv", server, to)
    c, s = t.connect(listeners[server, to], "ue", sub, port)
    push(c, s, data)
    if answer:
        push(s, c, answer)
    kept.append((c, s))
    return port


def udp(to, data=b"datagram", last=20, six=False, answer=None, more=None):
    global port
    port += 1
    sub, server = (sub6(1), v6(last)) if six else (sub4(1), v4(last))
    key = server, to
    if key not in servers:
        servers[key] = t.socket("srv", server, to)
    c = t.socket("ue", sub, port)
    echo(c, servers[key], data, (server, to))
    if more:
        echo(c, servers[key], more, (server, to))
    if answer:
        echo(servers[key], c, answer, (sub, port))
    kept.append((c, servers[key]))
    return port


def get(path="/", host="x.test", method="GET", more="", status="200 OK", answer=""):
    return tcp(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode(),
               f"HTTP/1.1 {status}\r\n{answer}Content-Length: 0\r\n\r\n".encode())


listeners, servers, want = {}, {}, []


def case(text, sport, rule, proto=6):
    want.append((text, sport, rule, proto))
    t.becomes(lambda: on("a", sport, proto), (rule, False), f"{text}: rule {rule}")


t.say("lines of ruledefs")
case("a host-pool and a port-map", udp(7005), "pooled", 17)
case("the end of a range of the map", udp(7110), "pooled", 17)
case("past the end of the map", udp(7111), "any", 17)
case("past the end of the pool", udp(7005, last=30), "any", 17)
case("a status of the response", get(status="404 Not Found"), "missing")
case("another status", get(), "any")
case("a method", get(method="POST", more="Content-Length: 0\r\n"), "poster")
case("an attribute of the URL", get("/a?x=1&id=4711"), "attribute")
case("another value of it", get("/a?id=11"), "any")
case("a header field", get(more="x-class: GOLD\r\n"), "header")
case("another value of it", get(more="X-Class: silver\r\n"), "any")
case("a domain, with www.", get(host="www.shop.test"), "domain")
case("a part of another host", get(host="a.shop.test"), "any")
case("a path", get("/only/path"), "uri")
case("a type of the response", get(answer="Content-Type: image/png\r\n"), "image")
case("a ClientHello", tcp(hello("x.test"), b"\x15\x03\x01\0\2\2\x28", 443), "encrypted")
case("the APN of the session", udp(7300), "access", 17)
case("an IMSI of a pool", udp(7301), "mine", 17)
case("a member of a group", udp(7402), "both", 17)

t.say("the name in the first packets of a QUIC client")
said = hello("www.video.test")[5:]  # without the record header of TLS
case("in one packet", udp(443, quic.initial(b"8 octets", said)), "quic", 17)
case("of IPv6", udp(443, quic.initial(b"12 octets of", said), six=True), "quic", 17)
case("in two, the second of which comes first",
     udp(443, quic.initial(b"twenty octets it has", said[100:], 1, 100),
         more=quic.initial(b"twenty octets it has", said[:100])), "quic", 17)
other = udp(443, quic.initial(b"9 octets.", hello("www.other.test")[5:]))
t.becomes(lambda: on("a", other, 17)[0] not in ("quic", "routed"), True, "another name: not that rule")

t.say("a name that DNS gave for an address")
q = question("cdn.test")
a = q[:2] + b"\x81\x80\0\1\0\1" + q[8:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + \
    socket.inet_aton(v4(20))
case("before it is known", udp(7500), "any", 17)
udp(53, q, answer=a)
t.becomes(lambda: t.counter("a", "dns_names"), 1, "one address was read of the answer")
case("after the answer", udp(7501), "named", 17)
case("another address", udp(7502, last=30), "any", 17)

t.say("FR-004, FR-055: rules of any definition, over both families")
case("FR-004: TCP", tcp(b"no protocol at all\n" * 3, b"answer", 8000), "tcp")
case("FR-055: TCP over IPv6", tcp(b"no protocol at all\n" * 3, b"answer", 8000, True), "tcp")
case("FR-055: UDP over IPv6", udp(7402, six=True), "both", 17)
raw = t.socket("ue", sub4(1), 0, socket.SOCK_RAW, 132)
raw.sendto(bytes(40), (v4(40), 0))
case("FR-004: SCTP, by ip protocol", 0, "sctp", 132)
icmp = t.socket("ue", sub4(1), 0, socket.SOCK_RAW, socket.IPPROTO_ICMP)
m = struct.pack("!BBHHH", 8, 0, 0, 77, 1) + bytes(16)
icmp.sendto(m[:2] + struct.pack("!H", checksum(m)) + m[4:], (v4(30), 0))
case("FR-004: ICMP", 77, "ping", 1)

t.say("a line that is in force at times: the flow has its rule then, and no longer")


def when(ahead):
    return time.strftime("day %A time %H %M %S", time.localtime(time.time() + ahead)).lower()


def with_more(sport, ends):
    echo(*ends, b"more", (v4(30), 7700))
    return on("a", sport, 17)


timed, ends = udp(7700, last=30), kept[-1]
t.equal(with_more(timed, ends), ("any", False), "before the line is there")
begins = f"start {when(3)} end {when(3600)}"
t.both_charge("ab", "timedef shift", begins, "exit", "ruledef timed", "udp either-port = 7700", "exit", "rulebase gold",
              "action priority 80 timedef shift ruledef timed charging-action count", "exit")
t.becomes(lambda: with_more(timed, ends), ("timed", False), "the time has begun", 10)
t.both_charge("ab", "timedef shift", "no " + begins, f"start {when(-3600)} end {when(3)}", "exit")
t.becomes(lambda: with_more(timed, ends), ("any", False), "the time has ended", 10)
t.both_charge("ab", "rulebase gold", "no action priority 80", "exit", "no timedef shift", "no ruledef timed")

t.say("FR-096: group and member are eligible")
case("FR-096: the group has the higher priority", udp(7601, last=30), "early-group", 17)
case("FR-096: the member has the higher priority", udp(7602, last=30), "late", 17)

t.say("FR-008, FR-044: applications")
BT = b"\x13BitTorrent protocol" + bytes(8) + b"h" * 20 + b"-TR3000-abcdefghijkl"
SSH = b"SSH-2.0-OpenSSH_9.2\r\n"
torrent = tcp(BT, BT, 6881)
case("FR-044: a file-sharing application", torrent, "torrent")
shell = tcp(SSH, SSH, 22)
case("FR-008: another application", shell, "shell")
shared, remote = tcp(BT, BT, 6882), tcp(SSH, SSH, 2222)
want.append(("FR-008: one that is none, of the same group", remote, "mixed", 6))
for text, sport in (("sharing, as behaviour, in a group with another application", shared), want[-1][:2]):
    t.becomes(lambda: on("a", sport), ("mixed", False), f"FR-044: {text}")
t.becomes(lambda: t.counter("a", "p2p_not_recovered"), 2, "FR-044: flows of P2P rules are counted")

t.quiet()
held = {f["subscriber_port"]: f["rule"] for f in t.flows("b")}
ELIGIBLE = {"pooled", "attribute", "both", "tcp", "sctp", "ping", "named", "access", "shell", "quic",
            "early-group", "late", "mixed"}
t.equal(set(held.values()), ELIGIBLE, "FR-006, FR-095: B has flows of all eligible rules, a group "
                                      "under its own name, no member, no P2P rule")
t.check(shared not in held, "FR-044: of the group, not the flow that shares files")
t.say("kill -9 of every process of A")
t.takeover("a", "b")
for text, sport, rule, proto in want:
    if rule in ELIGIBLE:
        t.equal(on("b", sport, proto), (rule, True), f"{text}: recovered on rule {rule}")
    else:
        t.equal(on("b", sport, proto), "0 flows", f"{text}: not recovered")
c, s = next((c, s) for c, s in kept if c.getsockname()[1] == shell)
base = t.volumes("b", callid=call)["shell"]
push(c, s, b"more of it")
t.check(t.volumes("b", callid=call)["shell"][1] > base[1], "FR-008: it is still charged to its rule")
t.start("a")
t.synchronised("b", "a")
t.quiet("b", "a")
t.balanced("b", "a")

t.say("FR-044: with flow-recovery p2p")
for chassis in "ba":
    p = subprocess.run([os.path.join(t.bed.build, "chassisctl"), "-s",
                        t.bed.path(chassis + ".sock")], input="configure\nactive-charging service "
                       "ecs\nflow-recovery p2p\nend\n", stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    t.check(p.returncode == 0 and "Failure" not in p.stdout, f"{chassis}: it is entered", p.stdout)
torrent = tcp(BT, BT, 6881)
t.becomes(lambda: on("b", torrent), ("torrent", False), "a new flow of the P2P rule")
t.quiet("b", "a")
t.equal([f["rule"] for f in t.flows("a", subscriber_port=torrent)], ["torrent"],
        "FR-044: it is checkpointed")

t.say("applications of which some are detected")
t.both_charge("ba", "p2p-detection protocol ssh nosuchapp")
case_on = {p: tcp(d, d, p) for p, d in ((6881, BT), (22, SSH))}
t.becomes(lambda: on("b", case_on[6881]), ("any", False), "one that is not named is none")
t.becomes(lambda: on("b", case_on[22]), ("shell", False), "one that is named")
said = t.ctl("b", "show configuration errors")
t.check("Application <BitTorrent> of ruledef <torrent> is not detected" in said, "the ruledef is named", said)
t.check("Application <nosuchapp> of p2p-detection protocol is not known" in said, "an unknown one is, too", said)
t.both_charge("ba", "no p2p-detection protocol all")
t.becomes(lambda b=tcp(BT, BT, 6881): on("b", b), ("torrent", False), "without the lines all are detected")
t.end()
END
status=$?
[ $status -eq 0 ] || exit $status

# FR-110: the name in a rule-name line has 1 to 63 characters
[ -x "$BUILD/ecsreplay" ] || exit 0
keys=
[ ! -s "$BED/features" ] || keys=$(printf ' license key-file %s\n ' "$BED/features")
for n in 0 1 63 64; do
	printf 'configure\n require active-charging\n%s active-charging service e\n  trigger-condition c\n   rule-name = "%s"\n  #exit\n #exit\nend\n' \
		"$keys" "$(printf '%*s' "$n" '' | tr ' ' r)" >"$BED/name.conf"
	said=$("$BUILD/ecsreplay" -c "$BED/name.conf" /dev/null 2>&1)
	case "$n $said" in
	"0 "*name.conf*"63 characters"* | "64 "*name.conf*"63 characters"*) echo "ok   FR-110: a name of $n characters is refused" ;;
	"1 "*"no such rulebase"* | "63 "*"no such rulebase"*) echo "ok   FR-110: a name of $n characters is accepted" ;;
	*) echo "FAIL FR-110: a name of $n characters: $said"; status=1 ;;
	esac
done

# captures: what other programs sent
PCAPS=$T_LIB/../../../../shared/pcaps
[ -d "$PCAPS" ] && [ -x "$BUILD/ecsreplay" ] || exit 0
cat >"$BED/replay.conf" <<'CONF'
configure
  require active-charging
  active-charging service ecs
    ruledef quic
      p2p app-identifier quic-sni present
    #exit
    ruledef call
      p2p traffic-type = voipout
    #exit
    ruledef failed
      http reply code >= 400
    #exit
    ruledef page
      http content type = text/html
    #exit
    ruledef encrypted
      secure-http any-match = TRUE
    #exit
    ruledef any
      ip any-match = TRUE
    #exit
    charging-action count
      content-id 1
    #exit
    rulebase rb
      action priority 1 ruledef quic charging-action count
      action priority 2 ruledef call charging-action count
      action priority 3 ruledef failed charging-action count
      action priority 4 ruledef page charging-action count
      action priority 5 ruledef encrypted charging-action count
      action priority 9 ruledef any charging-action count
    #exit
  #exit
end
CONF
while read -r file rule; do
	[ -e "$PCAPS/$file" ] || continue
	if "$BUILD/ecsreplay" -c "$BED/replay.conf" --flows "$PCAPS/$file" | grep -q " rule $rule "; then
		echo "ok   $file: a flow on rule $rule"
	else
		echo "FAIL $file: no flow on rule $rule"
		status=1
	fi
done <<'FILES'
quic-29.pcap quic
skype-conference-call.pcap call
http_auth.pcap failed
http.pcapng page
chrome.pcap encrypted
FILES
exit $status
