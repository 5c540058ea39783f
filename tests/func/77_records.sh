#!/bin/bash
# Records of flows and sessions in files: EDRs, FDRs, UDRs; what they hold against what was counted outside,
# over the death of their writer, of a session manager, over both switchovers and a full disk; quota of
# rating groups; charging methods that are not provided.
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
. "${0%/*}/lib/records.sh"
t_begin curl

bed_config_charging() {
	printf '  active-charging service ecs\n    idle-timeout udp 600\n    system-limit flow-chkpt-per-call 300\n'
	records_formats
	cat <<-CONF
		    ruledef web
		      tcp either-port = 8080
		    #exit
		    ruledef r1
		      udp either-port = 7001
		    #exit
		    ruledef r2
		      udp either-port = 7002
		    #exit
		    ruledef r4
		      udp either-port = 7004
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action web
		      content-id 10
		    #exit
		    charging-action r1
		      content-id 20
		    #exit
		    charging-action r2
		      content-id 20
		      cca charging credit rating-group 77
		    #exit
		    charging-action r4
		      content-id 40
		      flow idle-timeout 4
		    #exit
		    charging-action any
		      content-id 99
		    #exit
		    rulebase gold
		      action priority 1 ruledef web charging-action web
		      action priority 2 ruledef r1 charging-action r1
		      action priority 3 ruledef r2 charging-action r2
		      action priority 4 ruledef r4 charging-action r4
		      action priority 9 ruledef any charging-action any
		      flow end-condition normal-end-signaling timeout session-end hagr charging-edr e1
		      billing-records udr udr-format u1 fdr edr-format e1
		    #exit
	CONF
	t_recover 'rule-name = r1' 'rule-name = r4' 'rule-name = web'
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import re
import signal

from records import *

tap = t.tap("ue", "ue0")
calls = {i: t.add("a", i) for i in (1, 2, 3)}
server = {p: t.socket("srv", v4(20), p) for p in (7001, 7002, 7004)}
ue = {}
N = ["packets_up", "bytes_up", "packets_down", "bytes_down"]


def talk(i, sport, n=1, port=7001, size=100):
    key = (i, sport)
    if key not in ue:
        ue[key] = t.socket("ue", sub4(i), sport)
    for _ in range(n):
        to = echo(ue[key], server[port], b"u" * size, (v4(20), port))
        server[port].sendto(b"d" * (size // 2), to)
        ue[key].recv(1000)


def outside(peer, **want):
    return volume(tap.packets(peer=peer, **want), [v4(20), v4(10)])


def of_flow(c, callid, flow_id, stream="edr"):
    return [(r["sn-direction"], r["sn-closure-reason"], r["vol"]) for r in records(c, stream)
            if r["sn-flow-id"] == f"{callid}-{flow_id}"]


def flow_id(c, i, sport):
    return t.flow(c, subscriber=sub4(i), subscriber_port=sport)["flow_id"]


def clear(c, i):
    t.ctl(c, f"clear active-charging flows callid {calls[i]}")


# --- real traffic ---------------------------------------------------------------------------------
with t.ns("srv"):
    http = subprocess.Popen([sys.executable, "-S", "-c", "import http.server as h, sys\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "  def do_GET(s): s.send_response(200); s.send_header('Content-Length', '200000'); s.end_headers(); "
        "s.wfile.write(b'x' * 200000)\n  def log_message(s, *a): pass\n"
        f"h.HTTPServer(('{v4(10)}', 8080), H).serve_forever()"])
wait_for("the server", PATIENCE, lambda: ":8080" in t.sh("srv", "ss", "-Hltn")[1])
rc, out = t.sh("ue", "curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "--interface", sub4(1),
               f"http://{v4(10)}:8080/x")
t.check(rc == 0 and out == "200000", "curl", out)
http.kill()
t.becomes(lambda: t.flows("a", subscriber=sub4(1)), [], "the connections are over")
drained("a")
whole = outside(sub4(1), port=8080)
for s in ("edr", "fdr"):
    got = [r for r in records("a", s) if r["ip-subscriber-ip-address"] == sub4(1)]
    t.equal(tuple(map(sum, zip(*[r["vol"] for r in got]))), whole,
            f"{s}s of curl's connections hold what was counted outside")
    t.equal({(r["sn-direction"], r["sn-closure-reason"], r["sn-ruledef-name"]) for r in got},
            {("FromMobile", "0", "web")}, f"{s}s say who began, why it ended, and the rule")

# --- the writer dies ------------------------------------------------------------------------------
made = look("a")["records_made"]
for k in range(4):
    for s in range(25):
        talk(2, 30000 + 25 * k + s)
    clear("a", 2)
    os.kill(pid_of("a", "cdrmod"), signal.SIGKILL)
    elapse(0.15 * k)
    wait_for("cdrmod is back", PATIENCE, lambda: pid_of("a", "cdrmod"))
drained("a")
for s in ("edr", "fdr"):
    ids = [r["sn-flow-id"] for r in records("a", s) if r["sn-flow-id"].startswith(calls[2])]
    t.check(len(ids) == 100 and len(set(ids)) == 100,
            f"kill -9 of the writer: no {s} is lost, none is written twice", len(ids), len(set(ids)))
t.equal(look("a")["records_made"] - made, 200, "and as many were made")

# --- a full disk ----------------------------------------------------------------------------------
small = t.bed.path("a.rec/edr")
subprocess.run(["chattr", "+i", small], stderr=subprocess.DEVNULL, check=False)
immutable = subprocess.run(["touch", small + "/x"], stderr=subprocess.DEVNULL, check=False).returncode != 0
if immutable:
    for s in range(10):
        talk(2, 31000 + s)
    clear("a", 2)
    t.becomes(lambda: look("a")["failures"] > 0 and look("a")["waiting_bytes"] > 0, True,
              "a directory that takes nothing: counted, records wait")
    t.check(look("a")["why"] != "", "and the reason is shown", look("a"))
    subprocess.run(["chattr", "-i", small], check=True)
    drained("a")
    ids = [r["sn-flow-id"] for r in records("a", "edr") if r["sn-flow-id"].startswith(calls[2])]
    t.check(len(ids) == 110 and len(set(ids)) == 110, "then they are written, each once", len(ids))

# --- when a file is complete, changed at run time -------------------------------------------------
def rotation(what):
    out, good = t.configure("a", "context gateway", "edr-module active-charging-service", f"file rotation {what}")
    t.check(good and "runs" in out and "reload" not in out, f"file rotation {what}: it acts at once", out)


rotation("num-records 5")
before = set(files("a"))
for s in range(12):
    talk(2, 31100 + s)
clear("a", 2)
drained("a")
counts = sorted(sum(1 for _ in open(f, encoding="utf-8")) - 1 for f in set(files("a")) - before)
t.check(sum(counts) == 24 and max(counts) == 5, "files have as many records as it says now", counts)
rotation("num-records 1024")

# --- quota ----------------------------------------------------------------------------------------
def quota(c):
    return [(q["granted_bytes"], q["used_bytes"], q["left_bytes"]) for q in sorted(
            t.bed.show(c, f"show active-charging quota callid {calls[3]}", "rating_group", "granted_bytes"),
            key=lambda q: q["rating_group"])]


round_ = 128 + 78  # bytes of a datagram each way
talk(3, 40000, 1, 7002)
t.ctl("a", f"session quota grant callid {calls[3]} rating-group 77 bytes {2 * round_}")
talk(3, 40000, 1, 7002)
t.equal(quota("a"), [(2 * round_, 2 * round_, 0)], "FR-070: granted and used units of a rating group")
ue[3, 40000].sendto(b"x", (v4(20), 7002))
t.check(arrives(server[7002]) is None, "FR-070: exhausted: packets are dropped")
t.check("Failure" in (t.refused("a", f"session quota grant callid {calls[3]} rating-group 77 bytes 0") or ""),
        "a grant of nothing is refused")
t.both_charge("ab", "check-point accounting sync-timer icsr 60")
t.ctl("a", f"session quota grant callid {calls[3]} rating-group 78 bytes 4711")
t.becomes(lambda: quota("b"), [(2 * round_, 2 * round_, 0), (4711, 0, 4711)],
          "FR-070: the peer has a grant, and what was used, whatever the time of volumes is")
t.both_charge("ab", "no check-point accounting sync-timer icsr")

# --- session recovery, then the whole of records --------------------------------------------------
def lived(c):
    """Flows of r4 whose lifetime was counted."""
    return sum(r[f"lifetime_bucket{i}"] for r in t.bed.show(c, "show active-charging flow-kpi all", "lifetime_bucket1")
               for i in (1, 2, 3) if "r4" in r.values())


flow = {}
for s in (50001, 50002):
    talk(1, s, 5)
    flow[s] = flow_id("a", 1, s)
for s in (50011, 50012):
    talk(1, s, 1, 7004)
t.quiet()
for s in (50011, 50012):
    talk(1, s, 1, 7004)
talk(1, 50001, 3)  # since the last checkpoint of volumes
before = {c: len(records(c)) for c in "ab"}
instance = t.flow("a", subscriber=sub4(1), subscriber_port=50001)["instance"]
os.kill(pid_of("a", "sessmgr", instance), signal.SIGKILL)
t.becomes(lambda: t.flow("a", subscriber=sub4(1), subscriber_port=50001)["recovered"], True,
          "the session manager is back with its flows", 15)
talk(1, 50011, 1, 7004)
was = lived("a")
t.grace(1.5)
t.equal({c: len(records(c)) for c in "ab"}, before, "FR-084: no EDR at session recovery")
t.becomes(lambda: look("a")["records_lost_bytes"], lambda n: n >= (8 + 5 + 2 + 2) * 206,
          "and what was counted of flows since their last EDR is counted as lost")
t.becomes(lambda: [f for f in t.flows("a", rule="r4")], [], "recovered flows idle out")
t.equal(lived("a") - was, 1, "FR-087: a lifetime counts with a packet after the recovery, not without one")
talk(1, 50001, 2)
clear("a", 1)
drained("a")
t.equal(of_flow("a", calls[1], flow[50001]), [("Unknown", "2", (2, 256, 2, 156))],
        "FR-072: the EDR of a recovered flow: Unknown, what came since")
t.equal(of_flow("a", calls[1], flow[50001], "fdr"), [("FromMobile", "2", outside(sub4(1), port=50001))],
        "FR-073: one FDR of the whole flow over session recovery")
t.equal(of_flow("a", calls[1], flow[50002], "fdr"), [("FromMobile", "2", outside(sub4(1), port=50002))],
        "FR-073: of one without a packet since, too")

# --- planned switchover ---------------------------------------------------------------------------
talk(1, 50003, 4)
flow[50003] = flow_id("a", 1, 50003)
t.synchronised("a", "b")
t.switch("a", "b")
t.becomes(lambda: of_flow("a", calls[1], flow[50003]), [("FromMobile", "3", (4, 512, 4, 312))],
          "FR-085: a planned switchover: EDRs by the end condition hagr", 10)
talk(1, 50003, 2)
t.equal(quota("b"), [(2 * round_, 2 * round_, 0), (4711, 0, 4711)], "FR-070: quota after a planned switchover")
ue[3, 40000].sendto(b"x", (v4(20), 7002))
t.check(arrives(server[7002]) is None, "FR-070: it is exhausted there as well")
clear("b", 1)
drained("b")
t.equal(of_flow("b", calls[1], flow[50003]), [("Unknown", "2", (2, 256, 2, 156))],
        "FR-072: what came after it, in direction Unknown")
t.equal(of_flow("b", calls[1], flow[50003], "fdr"), [("FromMobile", "2", outside(sub4(1), port=50003))],
        "FR-073: one FDR of the whole flow over a planned switchover")
t.equal(of_flow("a", calls[1], flow[50003], "fdr"), [], "FR-073: and none where it began")

# --- the outage of control, the feature on and off ------------------------------------------------
def outage(c):
    return t.bed.show(c, "show srp call-loss statistics", "kind", "duration_us")[-1]["duration_us"] / 1000


def both(*lines):
    for c in "ab":
        out, good = t.configure(c, *lines)
        t.check(good, f"chassis {c}: {lines[-1]}", out)
    wait_for("both run the same", 10, lambda: "Failure" not in t.ctl("a", "srp validate-configuration"))


t.synchronised("b", "a")
t.switch("b", "a")
t.synchronised("a", "b")
on = outage("a")
both("active-charging service ecs", "trigger-action recover", "no flow-recovery")
t.synchronised("a", "b")
t.switch("a", "b")
t.synchronised("b", "a")
off = outage("b")
t.check(0 < on < 1000 and 0 < off < 1000,
        f"FR-012: outage of control in ms: {on} with flow recovery, {off} without")
both("active-charging service ecs", "trigger-action recover", "flow-recovery")
t.switch("b", "a")
t.synchronised("a", "b")

# --- EDRs of whole flows --------------------------------------------------------------------------
both("active-charging service ecs", "flow-recovery edr")
talk(1, 50020, 3)
flow[50020] = flow_id("a", 1, 50020)
t.quiet()
talk(1, 50020, 2)  # since the last checkpoint of volumes
instance = t.flow("a", subscriber=sub4(1), subscriber_port=50020)["instance"]
os.kill(pid_of("a", "sessmgr", instance), signal.SIGKILL)
t.becomes(lambda: t.flow("a", subscriber=sub4(1), subscriber_port=50020)["recovered"], True,
          "the session manager is back with its flows", 15)
talk(1, 50020, 1)
clear("a", 1)
talk(1, 50021, 4)
flow[50021] = flow_id("a", 1, 50021)
drained("a")
t.equal(of_flow("a", calls[1], flow[50020]), [("FromMobile", "2", outside(sub4(1), port=50020))],
        "flow-recovery edr: over session recovery the EDR tells who began, and all of the flow")
t.synchronised("a", "b")
t.switch("a", "b")
talk(1, 50021, 2)
clear("b", 1)
drained("b")
t.equal((of_flow("a", calls[1], flow[50021]), of_flow("b", calls[1], flow[50021])),
        ([], [("FromMobile", "2", outside(sub4(1), port=50021))]),
        "flow-recovery edr: so it does over a planned switchover, which makes none itself")
both("active-charging service ecs", "no flow-recovery edr")
t.switch("b", "a")
t.synchronised("a", "b")

# --- checkpoints that are refused by the limit of their rate --------------------------------------
both("context gateway", "service-redundancy-protocol", "checkpoint rate-limit 10 burst 10")
for s in range(40):
    talk(2, 32000 + s)
limited = lambda: t.checkpoints("a")["ACS_FLOW_INFO"]["rate_limited"]  # noqa: E731
t.becomes(limited, lambda n: n > 0, "FR-076: above the limit checkpoints fail, and are counted")
t.becomes(lambda: len(t.flows("b", subscriber=sub4(2))), 40, "FR-077: those that failed are sent in the end", 10)
t.quiet("a", "b")

# --- kill -9 of the chassis -----------------------------------------------------------------------
talk(1, 50004, 4)
flow[50004] = flow_id("a", 1, 50004)
t.quiet()
before = {c: len(records(c)) for c in "ab"}
for s in range(40):
    talk(2, 33000 + s)
t.grace(0.3)  # the peer hears ten times a second what is not confirmed
t.takeover("a", "b")
loss = t.bed.show("b", "show srp call-loss statistics", "kind", "duration_us")[-1]
t.check(loss["sessions_after"] == 3 and loss["objects_at_most"] > 0,
        "FR-078: killed with checkpoints to be sent again: no call is lost, flows are reported", loss)
t.becomes(lambda: t.flow("b", subscriber=sub4(1), subscriber_port=50004)["recovered"], True, "taken over")
t.grace(1.5)
t.equal({c: len(records(c)) for c in "ab"}, before, "FR-085: an unplanned switchover: no EDR")
talk(1, 50004, 1)
for i in calls:
    t.ctl("b", f"session delete callid {calls[i]}")
drained("b")
t.equal(of_flow("b", calls[1], flow[50004]), [("Unknown", "2", (1, 128, 1, 78))],
        "FR-072: the EDR of a flow that was taken over")
t.equal(of_flow("b", calls[1], flow[50004], "fdr"), [("FromMobile", "2", outside(sub4(1), port=50004))],
        "FR-073: one FDR of the whole flow over an unplanned switchover")
for i in (1, 3):  # what call 2 has sent last was lost with the chassis, a second of it at most
    got = [r for r in records("b", "udr") if r["ip-subscriber-ip-address"] == sub4(i)]
    t.equal(tuple(map(sum, zip(*[r["vol"] for r in got]))), volume(
        [p for p in tap.packets(peer=sub4(i)) if not (i == 3 and p.size == 29)], [v4(20), v4(10)]),
        f"FR-074: UDRs of call {i} hold all of it, over all recoveries")
    t.equal(len({(r["sn-content-id"], r["sn-rating-group"]) for r in got}), len(got),
            f"FR-074: one for each content-id and rating group of call {i}")
ids = [r["sn-flow-id"] for c in "ab" for r in records(c, "fdr")]
t.equal(len(ids), len(set(ids)), "FR-073: no flow has two FDRs, on either chassis")

# --- what is not provided -------------------------------------------------------------------------
methods = t.ctl("b", "show active-charging charging-methods")
for number, name, word in (("FR-067", "eGCDR", "egcdr"), ("FR-068", "PGW-CDR", "pgw-cdr"), ("FR-069", "VoGx", "vogx"),
                           ("FR-071", "Rf", "rf")):
    shell, _ = t.charging("b", "rulebase gold", f"billing-records {word}")
    t.check("Failure" in shell and f"{word} is not" in shell, f"{number}: {name} is refused by its command", shell)
    t.check(re.search(f"{name}.*not provided", methods) is not None, f"{number}: and listed as not provided")
t.end()
END
