#!/bin/bash
# Records of what ends shortly before the active chassis is lost: killed, or stood still until the peer had
# taken over. Each is on one of the two, and on both only what was being written at that moment.
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
. "${0%/*}/lib/records.sh"
t_begin

bed_config_charging() {
	printf '  active-charging service ecs\n    idle-timeout udp 600\n    system-limit flow-chkpt-per-call 300\n'
	records_formats
	cat <<-CONF
		    ruledef stays
		      udp either-port = 7001
		    #exit
		    ruledef idles
		      udp either-port = 7004
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action stays
		      content-id 20
		    #exit
		    charging-action idles
		      content-id 40
		      flow idle-timeout 3
		    #exit
		    charging-action any
		      content-id 99
		    #exit
		    rulebase gold
		      action priority 1 ruledef stays charging-action stays
		      action priority 4 ruledef idles charging-action idles
		      action priority 9 ruledef any charging-action any
		      flow end-condition normal-end-signaling timeout session-end hagr charging-edr e1
		      billing-records udr udr-format u1 fdr edr-format e1
		    #exit
	CONF
	t_recover 'rule-name = stays' 'rule-name = idles'
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import signal

from records import *

FLOWS = 40
AT_ONCE = 0.5  # seconds before its death in which what a chassis writes may be on the other as well
server = {p: t.socket("srv", v4(20), p) for p in (7001, 7004)}
calls = {}


def talk(c, i, flows=FLOWS, port=7001):
    """A call with flows of one packet each."""
    if i not in calls:
        calls[i] = t.add(c, i)
    for k in range(flows):
        t.socket("ue", sub4(i), port + 1000 * (port - 7000) + k).sendto(b"u" * 72, (v4(20), port))
    for k in range(flows):
        server[port].recv(1000)


def of(c, i, stream):
    return [r for r in records(c, stream) if r["ip-subscriber-ip-address"] == sub4(i)]


def key(r):
    return r["sn-flow-id"], r["sn-content-id"], r["sn-rating-group"]


def judge(text, old, new, i, want, died=None):
    """Each record is there, and twice only what was being written."""
    for stream, n in want.items():
        mine, other = of(old, i, stream), of(new, i, stream)
        keys = [key(r) for r in mine + other]
        t.equal((len(set(keys)), len({key(r) for r in mine}), len({key(r) for r in other})),
                (n, len(mine), len(other)), f"{text}: {n} {stream}s, on one of the two, none twice on one")
        twice = {key(r) for r in mine} & {key(r) for r in other}
        t.check(not twice or died and all(-0.2 < died - r["written"] < AT_ONCE for r in mine if key(r) in twice),
                f"{text}: no {stream} is on both but what was being written", len(twice))
        once = {key(r): r["vol"] for r in mine + other}
        if stream != "edr":
            t.equal(sum(v[0] for v in once.values()), FLOWS, f"{text}: the {stream}s hold each packet once")


# --- kill -9 --------------------------------------------------------------------------------------
old, new, told = "a", "b", []
for n, delay in enumerate((0, 0.02, 0.1)):
    cleared, deleted = 2 * n + 1, 2 * n + 2
    talk(old, cleared)
    talk(old, deleted)
    t.quiet(old, new)
    t.ctl(old, f"clear active-charging flows callid {calls[cleared]}")
    t.ctl(old, f"session delete callid {calls[deleted]}")
    elapse(delay)
    died = time.time()
    t.takeover(old, new)
    t.equal({s["callid"] for s in t.sessions(new)} & {calls[cleared], calls[deleted]}, {calls[cleared]},
            f"killed {delay} s after: what was deleted is gone, the other is taken over")
    t.start(old)
    t.synchronised(new, old)
    told.append(look(new)["records_taken_over"])
    t.ctl(new, f"session delete callid {calls[cleared]}")
    for c in "ab":
        drained(c)
    for i, what in ((cleared, "flows cleared"), (deleted, "session deleted")):
        judge(f"killed {delay} s after, {what}", old, new, i, {"edr": FLOWS, "fdr": FLOWS, "udr": 1}, died)
    t.equal([look(c)["records_not_taken"] + look(c)["records_unheld"] + look(c)["records_untold"] for c in "ab"],
            [0, 0], f"killed {delay} s after: nothing was refused")
    old, new = new, old
t.check(sum(told) > 0, "what the lost chassis had not written was taken over", told)

# --- all of it stands still -----------------------------------------------------------------------
talk(old, 7)
talk(old, 8, FLOWS // 2)
talk(old, 8, FLOWS // 2, 7004)
t.quiet(old, new)
t.ctl(old, f"clear active-charging flows callid {calls[7]}")
pids = t.bed.chassis_pids(old)
died = time.time()
for p in pids:
    os.kill(p, signal.SIGSTOP)
wait_for("the other takes over", 15, lambda: t.state(new) == "active", 0.05)
t.becomes(lambda: t.flows(new, rule="idles"), [], "flows idle out on who has taken over", 10)
for p in pids:
    os.kill(p, signal.SIGCONT)
t.synchronised(new, old)
t.equal((look(new)["records_lost"], look(new)["records_lost_bytes"]), (FLOWS, FLOWS * 100),
        "who has taken over counts what of its flows is in no EDR")
t.equal(t.bed.chassis_pids(old), pids, "who had stood still follows, with all its tasks")
for i in (7, 8):
    t.ctl(new, f"session delete callid {calls[i]}")
for c in "ab":
    drained(c)
judge("stood still, flows cleared before", old, new, 7, {"edr": FLOWS, "fdr": FLOWS, "udr": 1}, died)
judge("stood still, flows that idled out meanwhile", old, new, 8, {"fdr": FLOWS, "udr": 2}, died)
t.equal(of(old, 8, "fdr") + of(old, 8, "edr"), [], "who had stood still wrote nothing of them")
t.end()
END
