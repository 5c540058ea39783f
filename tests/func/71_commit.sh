#!/bin/bash
# What is entered in configuration mode acts at once, on live traffic: no packet is lost or charged by
# the wrong rule, no task is started again; on all tasks or on none. FR numbers: chassis-requirements(7).
. "${0%/*}/lib/traffic.sh"
t_begin
export BED_SR=yes BED_SR_SESSIONS=2000 BED_SR_FLOWS=6000

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout udp 600
		    ruledef first
		      udp either-port = 7001
		    #exit
		    ruledef second
		      udp either-port = 7002
		    #exit
		    ruledef third
		      udp either-port = 7003
		    #exit
		    ruledef fourth
		      udp either-port = 7004
		    #exit
		    ruledef pages
		      http url regex /pages/[0-9]+
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action other
		      content-id 2
		    #exit
		    charging-action ends
		      content-id 3
		    #exit
		    rulebase gold
		      action priority 1 ruledef first charging-action count
		      action priority 2 ruledef second charging-action count
		      action priority 3 ruledef third charging-action count
		      action priority 5 ruledef fourth charging-action ends
		      action priority 4 ruledef pages charging-action count
		      action priority 99 ruledef any charging-action count
		    #exit
	CONF
	t_recover 'rule-name = first' 'rule-name = second' 'rule-name contains second' 'rule-name = third' 'rule-name = fourth'
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import re
import signal
import threading
from traffic import *


def version(chassis):
    return t.json(chassis, "show version")["running_configuration"]


def both(*lines):
    return all([t.charging(c, *lines)[1] for c in "ab"])


def tasks(chassis):
    return {(r["task"], r["instance"]): (r["pid"], r["starts"])
            for r in t.bed.show(chassis, "show task resources", "pid", "starts")}


class Stream:
    """Datagrams of one flow, both ways, answered one by one, until stopped: nothing may be lost."""

    def __init__(self, user, port, sport):
        self.server, self.user = t.socket("srv", v4(20), port), t.socket("ue", sub4(user), sport)
        self.sent = self.lost = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.002):
            try:
                self.user.sendto(b"x" * 72, (v4(20), self.server.getsockname()[1]))
                data, at = self.server.recvfrom(2000)
                self.server.sendto(data, at)
                self.user.recv(2000)
                self.sent += 1
            except OSError:
                self.lost += 1

    def stop(self):
        self.over.set()
        self.thread.join(20)
        return self.lost


servers, users = {}, {}
ZERO = (0,) * 4


def once(port, sport, user=1):
    if port not in servers:
        servers[port] = t.socket("srv", v4(30), port)
    c = users[sport] = t.socket("ue", sub4(user), sport)
    echo(c, servers[port], b"y" * 100, (v4(30), port))


call = t.add("a", 1)
call2 = t.add("a", 2)
t.quiet()
before = {c: tasks(c) for c in "ab"}
streams = [Stream(1, 7001, 20001), Stream(1, 7002, 20002), Stream(2, 7003, 20003)]
t.becomes(lambda: len(t.flows("b")), 3, "three flows are checkpointed at the standby")
digest = version("a")["digest"]
t.equal((version("a")["configuration_version"], version("b")["digest"]), (1, digest),
        "both chassis run version 1, with equal digests")

t.say("FR-113: no rule-name takes the rule off the list")
said, good = t.charging("a", "trigger-condition which", "no rule-name = first")
t.check(good and "Version 2 of the configuration runs." in said, "FR-113: it acts at once", said)
t.becomes(lambda: len(t.flows("b", rule="first")), 0, "FR-113: its checkpoint is deleted")
t.equal(t.flow("a", rule="first")["checkpointed"], False, "FR-113: the flow lives on")
t.equal(len(t.flows("b", rule="second")), 1, "FR-113: others keep theirs")
t.check("contains second" in t.ctl("a", "show configuration") and
        "rule-name = first" not in t.ctl("a", "show configuration"), "it is shown")
now = version("a")
t.equal(now["configuration_version"], 2, "show version says which version runs")
t.check(now["digest"] != digest and version("b")["digest"] == digest,
        "the peer's digest is another until it has it too")
t.becomes(lambda: t.refused("a", "srp initiate-switchover -noconfirm") or "",
          lambda s: "onfiguration" in s, "a planned switchover is refused meanwhile")
t.check(t.charging("b", "trigger-condition which", "no rule-name = first")[1], "the peer gets it")
t.equal(version("b")["digest"], now["digest"], "then the digests are equal")
once(7001, 21001)
t.becomes(lambda: len(t.flows("a", rule="first")), 2, "FR-113: a new flow of the rule ...")
t.quiet()
t.equal(len(t.flows("b", rule="first")), 0, "FR-113: ... is not checkpointed")

t.say("FR-114: an entry is removed by its own form")
t.check(both("trigger-condition which", "no rule-name = second"), "FR-114: no rule-name = second")
t.quiet()
t.equal(len(t.flows("b", rule="second")), 1, "FR-114: contains second is in force")
t.check(both("trigger-condition which", "no rule-name contains second"), "FR-114: removed")
t.becomes(lambda: len(t.flows("b", rule="second")), 0, "FR-114: the checkpoint is deleted")

t.say("FR-115: no delay")
t.check(both("trigger-condition which", "rule-name = first", "delay = 600"), "a delay of 600 s")
once(7001, 21002)
t.quiet()
t.equal(len(t.flows("b", rule="first")), 0, "FR-115: a new flow waits")
t.check(both("trigger-condition which", "no delay = 600") or
        both("trigger-condition which", "no delay"), "FR-115: no delay")
t.becomes(lambda: len(t.flows("b", rule="first")), 3, "FR-115: what waited goes out at once")
once(7001, 21003)
t.becomes(lambda: len(t.flows("b", rule="first")), 4, "FR-115: a new flow is sent at creation")

t.say("FR-079: the feature off and on with live calls")
t.check(both("trigger-action recover", "no flow-recovery"), "FR-079: off")
t.becomes(lambda: len(t.flows("b")), 0, "FR-079: all checkpoints are deleted at the standby")
t.check(both("trigger-action recover", "flow-recovery"), "FR-079: on again")
t.becomes(lambda: (len(t.flows("b", rule="first")), len(t.flows("b", rule="third"))), (4, 1),
          "FR-079: the flows that live are checkpointed again")
once(7001, 21004)
t.becomes(lambda: len(t.flows("b", rule="first")), 5, "FR-079: and new flows")

t.say("FR-065: a charging-action becomes terminate-flow under its flow")
once(7004, 25000)
t.becomes(lambda: len(t.flows("b", rule="fourth")), 1, "FR-065: the flow is at the standby")
t.check(both("charging-action ends", "flow action terminate-flow"), "FR-065: terminate-flow")
t.equal(len(t.flows("a", rule="fourth")), 1, "FR-065: it acts on packets ...")
with contextlib.suppress(OSError):
    users[25000].sendto(b"z" * 100, (v4(30), 7004))
t.becomes(lambda: len(t.flows("a", rule="fourth")) + len(t.flows("b", rule="fourth")), 0,
          "FR-065: ... the next one ends the flow, and its checkpoint is deleted")

t.say("Lines that leave and come back under live flows")
t.check(both("rulebase gold", "no action priority 1"), "the line of first is taken out")
t.becomes(lambda: (t.flow("a", subscriber_port=20001)["rule"], len(t.flows("b", subscriber_port=20001))),
          ("any", 0), "its flow goes on by another, and has no checkpoint")
t.check(both("rulebase gold", "action priority 1 ruledef first charging-action cuont"), "it comes back, misspelt")
t.check(both("rulebase gold", "action priority 1 ruledef first charging-action count"), "and corrected")
t.becomes(lambda: (t.flow("a", subscriber_port=20001)["rule"], len(t.flows("b", subscriber_port=20001))),
          ("first", 1), "the flow is back on it, with its checkpoint")
once(7005, 25001)
t.check(both("charging-action drop", "flow action discard", "exit", "ruledef fifth", "udp either-port = 7005",
             "exit", "rulebase gold", "action priority 6 ruledef fifth charging-action drop"), "a line that discards")
users[25001].sendto(b"z" * 100, (v4(30), 7005))
t.becomes(lambda: t.flow("a", subscriber_port=25001)["rule"], "fifth", "takes the flow that lives")
t.equal(arrives(servers[7005]), None, "and its packet does not arrive")
t.check(both("rulebase gold", "no action priority 6"), "it is taken out")
echo(users[25001], servers[7005], b"y" * 100, (v4(30), 7005))
t.equal(t.flow("a", subscriber_port=25001)["rule"], "any", "and the flow goes on")

t.say("FR-119: no trigger flow-create")
t.check(both("service-scheme scheme", "no trigger flow-create"), "FR-119: removed")
once(7001, 21005)
t.quiet()
t.equal(len(t.flows("b")), 0, "FR-119: no flow is checkpointed")
t.check(both("service-scheme scheme", "trigger flow-create",
             "priority 1 trigger-condition which trigger-action recover"), "FR-119: back")
t.becomes(lambda: len(t.flows("b", rule="first")), 5, "FR-119: for flows that began under it")
t.equal(t.flow("a", subscriber_port=21005)["checkpointed"], False, "FR-118: and not for that which did not")

t.say("FR-123: the limit of a call, changed live")
for i in range(11):
    once(7003, 22000 + i, user=2)
t.quiet()
t.equal(len(t.flows("b", rule="third")), 10, "FR-123: 10 of 12 by default")
t.check(both("system-limit flow-chkpt-per-call 12"), "FR-123: raised to 12")
t.becomes(lambda: len(t.flows("b", rule="third")), 12, "FR-123: who waited is served")
t.check(both("system-limit flow-chkpt-per-call 3"), "FR-123: lowered to 3")
t.becomes(lambda: sorted(f["subscriber_port"] for f in t.flows("b", rule="third")), [20003, 22000, 22001],
          "FR-123: those that began first keep theirs, the others' are deleted")
once(7003, 22100, user=2)
t.quiet()
t.equal(len(t.flows("b", rule="third")), 3, "FR-123: nothing comes to them")
t.balanced("a", "b")

t.say("A charging-action that changes under its flows")
was = t.volumes("a", "content-id")
number = version("a")["configuration_version"]
said, good = t.charging("a", "ruledef pages", "http url regex (")
t.check(not good and "regular expression" in said, "what does not compile is refused", said)
t.equal(version("a")["configuration_version"], number, "and the version that ran runs")
t.check(both("charging-action count", "content-id 7"), "content-id 7 in place of 1")
t.quiet()
now = t.volumes("a", "content-id")
t.check(now.get("7", ZERO)[0] > 0, "the live flows are charged by it", now)
at = t.volumes("a", "content-id")["1"]
t.equal(at, t.volumes("a", "content-id")["1"], "and by the other no more")

t.say("String sets, compiled once")
lines = []
for i in range(300):
    lines += [f"ruledef url{i}", f"http url regex /a{i}/[a-f]+[0-9]*/x", f"http host contains h{i}.test",
              "exit"]
lines += ["rulebase gold"] + [f"action priority {100 + i} ruledef url{i} charging-action other"
                              for i in range(300)] + ["exit"]
begun = time.monotonic()
answers = []
busy = threading.Thread(target=lambda: answers.append(t.charging("a", *lines)))
busy.start()
asked = 0
slowest = 0
while busy.is_alive():
    at = time.monotonic()
    t.ctl("a", "show version")
    slowest = max(slowest, time.monotonic() - at)
    asked += 1
busy.join()
t.check(answers[0][1], "300 ruledefs with expressions act", answers[0][0])
t.check(asked > 0, f"sct has answered {asked} times meanwhile")
t.check(t.charging("b", *lines)[1], "the peer has them too")
t.equal(version("b")["digest"], version("a")["digest"], "equal digests")

t.say("Values of service-redundancy-protocol, and APNs")
said, good = t.configure("a", "context gateway", "service-redundancy-protocol",
                       "checkpoint rate-limit 1000 burst 1000", "control-pending timeout 90", "exit",
                       "apn internet", "timeout idle 500", "exit", "apn more",
                       "active-charging rulebase gold", "exit", "exit")
t.check(good and "reload" not in said and "runs." in said, "they act at once", said)
third = t.add("a", 3, apn="more")
t.equal(t.sessions("a", callid=third)[0]["rulebase"], "gold", "a session of the new APN has its rulebase")
said, good = t.configure("a", "context gateway", "service-redundancy-protocol", "priority 9", "exit",
                       "exit")
t.check(good and "takes effect after `save configuration` and `reload`" in said,
        "what cannot act at once says so", said)
said, good = t.charging("a", "charging-action way", "nexthop-forwarding-address 10.9.9.9")
t.check(good and "runs." in said and "takes effect after" in said,
        "a next hop that has no device yet says so too", said)
t.check(t.charging("a", "no charging-action way")[1], "it is taken back")
number = version("a")["configuration_version"]
said, good = t.configure("a", "context gateway", "service-redundancy-protocol", "priority 8",
                       "audit periodicity 61", "exit", "exit")
t.check(good and "Version" in said and "Some of what is configured" in said,
        "of a change of both kinds, what acts and what waits", said)
t.equal(version("a")["configuration_version"], number + 1, "the version counts what acts")

t.say("Nothing was disturbed")
t.equal([s.stop() for s in streams], [0, 0, 0], "no datagram of three live flows was lost")
t.check(all(s.sent > 500 for s in streams), "they were live", [s.sent for s in streams])
t.equal({c: tasks(c) for c in "ab"}, before, "no task was started again, standbys included")

t.say("One that refuses: nothing is taken, by anybody")
pid = tasks("a")["sessmgr", 2][0]
nobody = {"user": 65534, "group": 65534, "extra_groups": [], "check": True}
number = version("a")["configuration_version"]
soft = subprocess.run(["prlimit", f"--pid={pid}", "--nproc", "--noheadings", "-o", "SOFT"],
                      stdout=subprocess.PIPE, text=True, **nobody).stdout.strip()
subprocess.run(["prlimit", f"--pid={pid}", "--nproc=1:"], **nobody)
said, good = t.charging("a", "system-limit flow-chkpt-per-call 50")
t.check(not good and "sessmgr:2" in said and "nothing entered" in said, "its name is told", said)
t.equal(version("a")["configuration_version"], number, "the version that ran runs")
t.check("flow-chkpt-per-call 50" not in t.ctl("a", "show configuration"), "it is not configured")
subprocess.run(["prlimit", f"--pid={pid}", f"--nproc={soft}:"], **nobody)
t.check(t.charging("a", "system-limit flow-chkpt-per-call 50")[1], "later it is taken")

t.say("Who is born after it has it")
version_now = version("a")
for name in ("sct", "demuxmgr", "vpnmgr", "sessmgr"):
    for (kind, i), (p, n) in tasks("a").items():
        if kind == name and i in (0, 1) and not (kind == "sessmgr" and i == 0):
            os.kill(p, signal.SIGKILL)
    t.becomes(lambda: version("a"), version_now, f"{name}: it still runs after its death", 10)
    t.becomes(lambda: set(tasks("a")), set(before["a"]), "all tasks are there", 10)
t.synchronised("a", "b")
t.becomes(lambda: t.sessions("a", v4=sub4(3))[0]["rulebase"], "gold", "sessions are there", 15)
s, c = t.socket("srv", v4(40), 7001), t.socket("ue", sub4(1), 24000)
for _ in range(5):
    echo(c, s, b"z" * 10, (v4(40), 7001))
t.equal(t.flow("a", server_port=7001, subscriber_port=24000)["rule"], "first",
        "a recovered session matches by it")
t.end()
END
