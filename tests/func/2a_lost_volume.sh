#!/bin/bash
# What a switchover loses of volumes, and what the survivor says of it: all that the server got and that no
# volume has is within the octets of `show srp call-loss statistics`, and these are not far above it; with
# volumes told each second, and each minute. A planned switchover loses nothing, and says so; one that is asked
# for when no audit was made yet has one made.
BED_HELLO_MS=${BED_HELLO_MS:-20} BED_DEAD_MS=${BED_DEAD_MS:-900} # beats are sent below a second
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef talk
		      udp either-port = 7001
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef talk charging-action count
		      action priority 9 ruledef any charging-action count
		    #exit
	CONF
	t_recover "rule-name = talk"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import threading

from traffic import *

SIZE, RATE = 1000, 500000  # octets of a packet, and in a second
calls = {i: t.add("a", i) for i in (1, 2)}
t.synchronised("a", "b")
server = t.socket("srv", v4(20), 7001)
server.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
server.setblocking(False)
users = [t.socket("ue", sub4(i), 12001) for i in (1, 2)]
got = 0  # octets of packets, as the server counts them


class Talk(threading.Thread):
    """Packets at a steady rate until told to stop."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stop, self.sent = threading.Event(), 0
        self.start()

    def run(self):
        n, begin = 0, time.monotonic()
        while not self.stop.wait(0.004):
            due = (time.monotonic() - begin) * RATE / SIZE
            while n < due:
                with contextlib.suppress(OSError):
                    users[n % 2].sendto(bytes(SIZE - 28), (v4(20), 7001))
                n = self.sent = n + 1

    def goes_on(self, seconds):
        """Until as much more was sent as that takes."""
        until = self.sent + seconds * RATE / SIZE
        wait_for("traffic", PATIENCE, lambda: self.sent >= until, 0.004)

    def end(self):
        self.stop.set()
        self.join()


def received():
    """What the server has got in all, once nothing more comes."""
    global got
    while (more := arrives(server, 0.3)) is not None:
        got += len(more) + 28
    return got


def charged(c):
    return sum(t.volumes(c, callid=callid)["talk"][1] for callid in calls.values())


def report(c):
    return t.bed.show(c, "show srp call-loss statistics", "kind", "octets_at_most")[-1]


def killed(old, new, seconds, least, most):
    """The active dies after so many seconds of traffic; least and most that can be lost, in seconds of it."""
    before = received() - charged(old)
    talk = Talk()
    talk.goes_on(seconds)
    t.takeover(old, new)
    talk.goes_on(0.2)
    talk.end()
    lost = received() - charged(new) - before
    said = report(new)
    t.equal(said["kind"], "unplanned", "it is called unplanned")
    t.check(least * RATE <= lost <= most * RATE, f"{lost} octets are in no volume")
    t.check(lost <= said["octets_at_most"], "no more than is reported", lost, said)
    # what was on its way, or can have been charged after the figure
    over = RATE * (0.4 + 2 * said["figure_age_ms"] / 1000)
    t.check(0 < said["octets_at_most"] <= lost + over, "and the report is not far above it", lost, said)
    t.check(0.5 * RATE < said["octets_per_s"] < 3 * RATE, "its rate is that of the traffic", said)


def planned(old, new):
    before = received() - charged(old)
    talk = Talk()
    talk.goes_on(0.6)
    t.switch(old, new)
    talk.goes_on(0.2)
    talk.end()
    t.equal(received() - charged(new), before, "a planned switchover under traffic loses nothing")
    for c in (old, new):
        said = report(c)
        t.equal((said["kind"], said["octets_at_most"], said["objects_at_most"]), ("planned", 0, 0),
                f"and chassis {c} says so")
    t.synchronised(new, old)


for u in users:  # the flows are there, and their checkpoints
    u.sendto(bytes(SIZE - 28), (v4(20), 7001))
t.quiet("a", "b")
t.equal(received() - charged("a"), 0, "before: all is in the volumes")
t.say("Volumes are told each second")
killed("a", "b", 2.5, 0, 1.2)
t.start("a")
t.synchronised("b", "a")
t.say("Planned")
t.equal(t.refused("b", "srp initiate-switchover -noconfirm"), None,
        "as soon as the standby is filled, before a digest is due: an audit is made first")
t.synchronised("a", "b")
planned("a", "b")
t.say("Volumes are told each minute")
t.both_charge("ab", "check-point accounting sync-timer icsr 60")
t.quiet("b", "a")
planned("b", "a")
killed("a", "b", 3, 2, 4)
t.end()
END
