#!/bin/bash
# An RTSP session and its RTP: who is whose parent, by which rules they are charged, and what is left of
# that after the death of a session manager and after both switchovers, with `flow-recovery parent-child`
# and without.
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout tcp 600
		    idle-timeout udp 600
		    ruledef to-rtsp
		      tcp either-port = 554
		      rule-application routing
		    #exit
		    ruledef control
		      rtsp any-match = TRUE
		    #exit
		    ruledef media
		      rtp any-match = TRUE
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef control charging-action count
		      action priority 2 ruledef media charging-action count
		      action priority 3 ruledef any charging-action count
		      route priority 1 ruledef to-rtsp analyzer rtsp
		      flow control-handshaking charge-to-application all-packets
		    #exit
	CONF
	t_recover 'rule-name = control' 'rule-name = media'
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
from traffic import *

listening = {p: t.listen("srv", v4(10), p) for p in (554, 8554)}
active, standby = "a", "b"
callid = t.add("a", 1)


class Stream:
    """An RTSP connection of the subscriber, and the pair of ports that it has set up."""

    def __init__(self, sport, client, server, port=554):
        self.sport, self.client, self.server = sport, client, server
        self.c, self.s = t.connect(listening[port], "ue", sub4(1), sport)
        ports = f"RTP/AVP;unicast;client_port={client}-{client + 1}"
        push(self.c, self.s, f"SETUP rtsp://m.test/1 RTSP/1.0\r\nCSeq: 1\r\nTransport: {ports}\r\n\r\n".encode())
        # in two segments
        push(self.s, self.c, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nTrans")
        push(self.s, self.c, f"port: {ports};server_port={server}-{server + 1}\r\n\r\n".encode())
        self.ends = [(t.socket("srv", v4(10), server + i), t.socket("ue", sub4(1), client + i))
                     for i in range(2)]
        self.say()

    def say(self):
        """RTP from the server, RTCP from the subscriber, and a request."""
        (s0, u0), (s1, u1) = self.ends
        echo(s0, u0, b"rtp" * 50, (sub4(1), self.client))
        echo(u1, s1, b"rtcp", (v4(10), self.server + 1))
        push(self.c, self.s, b"GET_PARAMETER rtsp://m.test/1 RTSP/1.0\r\nCSeq: 2\r\n\r\n")

    def seen(self, chassis):
        """Rules of the three; recovered; whether the first is the parent of the others."""
        by = {f["subscriber_port"]: f for f in t.flows(chassis, subscriber=sub4(1))}
        got = [by.get(p) for p in (self.sport, self.client, self.client + 1)]
        if None in got:
            return None
        kin = {f["parent"] for f in got[1:]}
        return ([f["rule"] for f in got], all(f["recovered"] for f in got),
                True if kin == {got[0]["flow_id"]} else False if kin == {0} else kin)


RULES = ["control", "media", "media"]


def goes_on(stream, kin, text):
    """After a recovery all go on, each on its rule."""
    t.becomes(lambda: stream.seen(active), (RULES, True, kin), text, 10)
    was = t.volumes(active, callid=callid)
    stream.say()
    now = t.volumes(active, callid=callid)
    t.check(all(now[r][i] > was[r][i] for r, i in (("control", 1), ("media", 1), ("media", 3))),
            "FR-086: each goes on on its own rule", was, now)
    t.equal(stream.seen(active), (RULES, True, kin), text + ", with traffic")


def killed():
    """kill -9 of the session manager of the call; it lives again."""
    def pid():
        return next((x["pid"] for x in t.bed.show(active, "show task resources", "task", "pid")
                     if x["task"] == "sessmgr" and x["instance"] == n), 0)
    t.quiet(active, standby)
    n = t.sessions(active, callid=callid)[0]["instance"]
    old = pid()
    os.kill(old, 9)
    t.becomes(pid, lambda p: p not in (0, old), "it lives again", 10)
    t.synchronised(active, standby)


def switched():
    global active, standby
    t.quiet(active, standby)
    t.switch(active, standby)
    active, standby = standby, active


t.say("without the switch")
one = Stream(20001, 21000, 6970)
t.equal(one.seen("a"), (RULES, False, True), "FR-086: RTP and RTCP are children of their RTSP session")
off = Stream(20002, 21010, 6980, 8554)
t.equal(off.seen("a"), (["any"] * 3, False, False), "where no route goes to the analyzer, nothing is")
t.becomes(lambda: one.seen("b"), (RULES, False, False), "the standby has the flows, and no relation")
t.check("Parent" in t.ctl("a", "show active-charging flows full"), "the full show has it")
killed()
goes_on(one, False, "FR-086: after the death of the session manager the link is gone")
two = Stream(20003, 21020, 6990)
t.equal(two.seen("a"), (RULES, False, True), "a new session has new children")
switched()
goes_on(two, False, "FR-086: after a planned switchover the link is gone")

t.say("with the switch")
for c in "ab":
    said = subprocess.run([os.path.join(t.bed.build, "chassisctl"), "-s", t.bed.path(c + ".sock")],
                          input="configure\nactive-charging service ecs\nflow-recovery parent-child\nend\n",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=30).stdout
    t.check("Failure" not in said, f"it is entered, {c}", said)
t.synchronised(active, standby)
t.becomes(lambda: all("flow-recovery parent-child" in t.ctl(c, "show configuration") for c in "ab"), True,
          "it is configured")
three = Stream(20004, 21030, 7000)
t.becomes(lambda: three.seen(standby), (RULES, False, True), "the standby knows the relation")
killed()
goes_on(three, True, "FR-086: with the switch it is kept over the death of the session manager")
switched()
goes_on(three, True, "FR-086: and over a planned switchover")
t.synchronised(active, standby)
t.quiet(active, standby)
t.balanced(active, standby)
t.takeover(active, standby)
active = standby
goes_on(three, True, "FR-086: and over kill -9 of the chassis")
t.equal(two.seen(active), (RULES, True, False), "what was lost before does not come back")

t.say("the end of the parent")
reset(three.c)
media = [three.client, three.client + 1]
t.becomes(lambda: [(f["rule"], f["parent"]) for f in t.flows(active, subscriber=sub4(1))
                   if f["subscriber_port"] in media], [("media", 0)] * 2,
          "its children go on, and have none")
t.end()
END
