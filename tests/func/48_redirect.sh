#!/bin/bash
# `flow action redirect-url` under real TCP: the request of a redirected rule gets a 302 and the end of
# the connection, its server a reset; entries are counted; a connection that was let through is
# redirected at its second request, one of several segments; both families.
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef portal
		      http host = portal.example
		    #exit
		    ruledef web
		      http any-match = TRUE
		    #exit
		    ruledef rest
		      ip any-match = TRUE
		    #exit
		    charging-action free
		      content-id 1
		    #exit
		    charging-action to-portal
		      content-id 2
		      flow action redirect-url "http://portal.example/top-up?a=1&b=2"
		    #exit
		    rulebase gold
		      action priority 1 ruledef portal charging-action free
		      action priority 2 ruledef web charging-action to-portal
		      action priority 3 ruledef rest charging-action free
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
import select
from traffic import *

ANSWER = (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/top-up?a=1&b=2\r\n"
          b"Content-Length: 0\r\nConnection: close\r\n\r\n")


def get(host, more=b""):
    return b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\n" + more + b"\r\n"


def everything(sock):
    got = b""
    while True:
        try:
            data = sock.recv(4096)
        except OSError as e:
            return got, type(e).__name__
        if not data:
            return got, "end"
        got += data


def counts():
    return tuple(t.counter("a", "redirects_" + n) for n in ("added", "deleted", "answered",
                                                            "refused"))


for family, server, address in (("IPv4", v4(20), sub4), ("IPv6", v6(20), sub6)):
    t.say(family)
    call = t.add("a", 1 if family == "IPv4" else 2, more="rulebase gold")
    i = 1 if family == "IPv4" else 2
    at = t.listen("srv", server, 80)
    before, dropped, made = counts(), t.counter("a", "drop_redirect"), t.counter("a", "tun_made")
    user, host = t.connect(at, "ue", address(i))
    user.sendall(get(b"other.example"))
    t.equal(everything(user), (ANSWER, "end"), "the request is answered by a 302 and the end")
    t.equal(everything(host), (b"", "ConnectionResetError"),
            "its server got nothing of it and is reset")
    user.close()
    t.becomes(lambda: [a - b for a, b in zip(counts(), before)], [1, 1, 1, 0],
              "one entry was added, and deleted when the connection was closed", 10)
    t.check(t.counter("a", "drop_redirect") > dropped, "what was not forwarded is counted")
    t.check(t.counter("a", "tun_made") >= made + 2, "and so are the answer and the reset, made here")
    t.equal(t.volumes("a", "content-id", call).get("2"), None, "the request was not charged")
    user, host = t.connect(at, "ue", address(i))
    user.sendall(get(b"portal.example"))
    t.equal(host.recv(4096), get(b"portal.example"), "a request of another rule passes")
    host.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    t.equal(user.recv(4096)[-2:], b"hi", "and its answer")
    user.sendall(get(b"other.example", b"X: " + b"y" * 5000 + b"\r\n"))
    t.equal(everything(user), (ANSWER, "end"), "the second request of a connection is redirected")
    t.equal(everything(host)[1], "ConnectionResetError", "the server is reset")
    user.close()
    at.close()
    t.becomes(lambda: [a - b for a, b in zip(counts(), before)], [2, 2, 2, 0],
              "its entry goes with it as well", 10)
t.end()
END
