#!/bin/bash
# Figures of the flows of eligible rules: which rules have them and when, what is counted, lifetimes; bulk
# statistics: formats, files written whole or not at all; the feature key. FR numbers:
# chassis-requirements(7).
. "${0%/*}/lib/traffic.sh"
t_begin
export BED_SR=yes BED_SR_SESSIONS=2000 BED_SR_FLOWS=6000
LONG=a-rule-whose-name-has-as-many-characters-as-a-name-may-have-63-
export LONG

bed_config_charging() {
	mkdir -p "$BED/bulk"
	cat <<-CONF
		  bulkstat mode
		    directory "$BED/bulk"
		    file 1
		      remotefile format "kpi-%host%"
		      header format "begin %host%"
		      footer format "end"
		    #exit
		  #exit
		  active-charging service ecs
		    idle-timeout udp 600
		    system-limit flow-chkpt-per-call 300
		    ruledef alpha
		      udp either-port = 7001
		    #exit
		    ruledef beta
		      udp either-port = 7002
		    #exit
		    ruledef gamma
		      udp either-port = 7003
		    #exit
		    ruledef life
		      tcp either-port = 7004
		    #exit
		    ruledef $LONG
		      udp either-port = 7005
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action brief
		      flow idle-timeout 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef alpha charging-action count
		      action priority 2 ruledef beta charging-action brief
		      action priority 3 ruledef gamma charging-action count
		      action priority 4 ruledef life charging-action count
		      action priority 5 ruledef $LONG charging-action count
		    #exit
		    flow-kpi lifetime-buckets 0 2 4
	CONF
	t_recover 'rule-name = alpha' 'rule-name starts-with bet' 'rule-name = life' 'rule-name = given' \
		"rule-name = $LONG"
	printf '  #exit\nend\n'
}

# A small file system of its own: the disk that will be full.
k_end() {
	local status=$?
	[ -z "${BED:-}" ] || umount -l "$BED/bulk" 2>/dev/null
	(exit $status)
	t_end
}
trap k_end EXIT
mkdir "$BED/bulk" && mount -t tmpfs -o size=64k none "$BED/bulk" || t_skip "no tmpfs can be mounted"
t_pair
t_python <<'END'
import glob
import re
import signal
from traffic import *

LONG = os.environ["LONG"]
LABELS = ["Rule Name", "Active Flows", "SR Flow Checkpoint Sent", "SR Flow Checkpoint Received",
          "GR Flow Checkpoint Sent", "GR Flow Checkpoint Received", "SR Flow Checkpoint Delete Sent",
          "SR Flow Checkpoint Delete Received", "GR Flow Checkpoint Delete Sent",
          "GR Flow Checkpoint Delete Received", "Flows of lifetime bucket1",
          "Flows of lifetime bucket2", "Flows of lifetime bucket3"]
KEYS = ["rule_name", "active_flows", "sr_sent", "sr_received", "gr_sent", "gr_received",
        "sr_delete_sent", "sr_delete_received", "gr_delete_sent", "gr_delete_received",
        "lifetime_bucket1", "lifetime_bucket2", "lifetime_bucket3"]
VARIABLES = ["ecs-flow-rule-name", "ecs-num-active-flow", "ecs-flow-chkpt-sent-sr",
             "ecs-flow-chkpt-recvd-sr", "ecs-flow-chkpt-sent-gr", "ecs-flow-chkpt-recvd-gr",
             "ecs-del-flow-chkpt-sent-sr", "ecs-del-flow-chkpt-recvd-sr", "ecs-del-flow-chkpt-sent-gr",
             "ecs-del-flow-chkpt-recvd-gr", "ecs-flow-lifetime-bucket1", "ecs-flow-lifetime-bucket2",
             "ecs-flow-lifetime-bucket3"]


def acs(*lines):
    return all([t.charging(c, *lines)[1] for c in "ab"])


def kpi(chassis, what="all"):
    got = t.json(chassis, f"show active-charging flow-kpi {what}".rstrip())["flow_kpi"]
    return {r["rule_name"]: r for r in got}


def of(chassis, rule, *keys, what="all"):
    row = kpi(chassis, what).get(rule)
    return tuple(row[k] for k in keys) if row else None


servers, users = {}, {}


def flow(i, port, sport):
    if port not in servers:
        servers[port] = t.socket("srv", v4(20), port)
    users[sport] = t.socket("ue", sub4(i), sport)
    echo(users[sport], servers[port], b"packet", (v4(20), port))


t.say("which rules have figures")
names = ["alpha", "beta", "life", LONG, "given"]
rows = kpi("a")
t.equal(sorted(rows), sorted(names), "FR-030, FR-031, FR-137: eligible rules, and no others, before their first flow")
t.check(all(v == 0 for r in rows.values() for k, v in r.items() if k != "rule_name"), "FR-031: zeros")
text = t.ctl("a", "show active-charging flow-kpi all")
block = text[text.index("Rule Name:"):].splitlines()[:13]
t.equal([l.split(":")[0].strip() for l in block], LABELS, "FR-151: labels, in their order")
t.check(LONG in text, "FR-137: a name of 63 characters is whole")
t.equal(t.ctl("a", "show active-charging flow-kpi"), text, "FR-130: without a word it says the same as all")
t.check(t.refused("a", "show active-charging flow-kpi instance 3") is not None, "FR-132: an unknown instance is refused")

t.say("flows and checkpoints")
for i in (1, 2, 3, 4):
    t.add("a", i)
t.quiet()


def sent_rows():
    got = t.checkpoints("a")
    return tuple(got.get(k, {}).get("sent") for k in ("ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO"))


t.equal(sent_rows(), (None, None), "FR-156: no row of either kind before the first flow")
flow(1, 7003, 22000)
t.quiet()
t.equal(sent_rows(), (None, None), "a flow that is not eligible makes none")
for n in range(5):
    flow(1 + n % 4, 7001, 20000 + n)
for n in range(2):
    flow(1 + n, 7005, 21000 + n)
t.becomes(lambda: of("a", "alpha", "active_flows", "sr_sent", "gr_sent", "gr_received"), (5, 5, 5, 0),
          "FR-138, FR-139, FR-141, FR-142: five flows of alpha: active, sent to SR and GR")
t.becomes(lambda: of("b", "alpha", "active_flows", "gr_sent", "gr_received", "sr_received"), (5, 0, 5, 0),
          "FR-142: the standby has received them")
t.equal(of("a", LONG, "active_flows", "gr_sent"), (2, 2), "FR-030: each rule has its own figures")
t.quiet()
total = kpi("a")
one, two = kpi("a", "instance 1"), kpi("a", "instance 2")
t.check(one["alpha"]["active_flows"] > 0 and two["alpha"]["active_flows"] > 0, "both instances have flows")
t.check(all(total[r][k] == one[r][k] + two[r][k] for r in total for k in KEYS[1:]),
        "FR-125, FR-131: all is the sum of the instances, field by field")
t.equal(sum(r["gr_sent"] for r in total.values()), t.sent("a", "ACS_FLOW_INFO"),
        "FR-133: over the rules, what the row ACS_FLOW_INFO says")
t.equal(sent_rows(), (7, None), "FR-156, FR-157: one record for each flow, and still no row of deletions")
t.equal({r: v["gr_sent"] for r, v in total.items()}, {r: v["gr_received"] for r, v in kpi("b").items()},
        "FR-133: sent here is received there, rule by rule")

t.say("deletions")
for n in range(5):
    flow(1, 7002, 23000 + n)
want = ("sr_delete_sent", "sr_delete_received", "gr_delete_sent")
t.becomes(lambda: of("a", "beta", "active_flows", *want), (0, 5, 5, 5),
          "FR-143, FR-144, FR-145: five flows of beta were silent", 10)
t.becomes(lambda: of("b", "beta", "active_flows", "gr_delete_received"), (0, 5), "FR-146: received by the standby")
t.quiet()
t.equal(sum(r["gr_delete_sent"] for r in kpi("a").values()), t.sent("a", "DEL_ACS_FLOW_INFO"),
        "FR-145: what the row DEL_ACS_FLOW_INFO says")
t.equal(sent_rows()[1], 5, "FR-156, FR-158: with the first deletion its row is there")
for kind in ("ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO"):
    t.equal(t.checkpoints("b", "received")[kind]["received"], t.sent("a", kind),
            f"FR-155: {kind}: as many received as sent")

t.say("bandwidth")
tap = t.tap("a", "srp0")
tap.forget()
before = t.checkpoints("a")["ACS_FLOW_INFO"]["bytes_sent"]
for n in range(200):
    flow(1 + n % 4, 7001, 30000 + n)
t.quiet()
after = t.checkpoints("a")["ACS_FLOW_INFO"]["bytes_sent"]
wire = sum(p.payload for p in tap.packets(proto=6))
t.check(200 * 30 <= after - before <= wire, "FR-033: the bytes of 200 flows, and no more than went over the link",
        after - before, wire)

t.say("lifetimes")
listener = t.listen("srv", v4(20), 7004)
pairs = [t.connect(listener, "ue", sub4(3), 24000 + n) for n in range(3)]
begun = time.monotonic()
for wait, (c, s) in zip((0.3, 2.6, 4.6), pairs):
    wait_for("its lifetime", PATIENCE, lambda: time.monotonic() - begun >= wait)
    reset(c)
life = ("lifetime_bucket1", "lifetime_bucket2", "lifetime_bucket3")
t.becomes(lambda: of("a", "life", *life), (1, 1, 1),
          "FR-147, FR-148, FR-149, FR-150: one flow of each bucket, with buckets from 0, 2 and 4 s")
t.check(acs("no flow-kpi lifetime-buckets"), "FR-150: no flow-kpi lifetime-buckets")
t.equal(t.json("a", "show active-charging service")["lifetime_buckets"], [0, 10, 60], "FR-150: the defaults")
t.check("expected" in t.charging("a", "flow-kpi lifetime-buckets 5 5 6")[0],
        "FR-150: each begins later than the one before")

t.say("bulk statistics")
fmt = ",".join(f"%{v}%" for v in VARIABLES)
said, good = t.configure("a", "bulkstats collection", "bulkstats mode", "sample-interval 1", "file 1",
                       f'flow-kpi schema fk format "FK,{fmt}"')
t.check(good and "reload" not in said, "FR-124, FR-127, FR-128: schema flow-kpi, entered", said)
t.check("%what%" in t.configure("a", "bulkstats mode", "file 1", "flow-kpi schema x format %what%")[0],
        "an unknown variable is refused")
got = t.json("a", "show bulkstats variables flow-kpi")["variables"]
t.equal([v["variable"] for v in got], VARIABLES, "FR-129: exactly the thirteen")
t.check(all(v["type"] for v in got) and got[0]["type"] == "Information", "FR-129: each with its type")
t.check("%ecs-num-active-flow%" in t.ctl("a", "show bulkstats schemas"), "the schema is shown")
PATH = t.bed.path("bulk")


def files():
    return sorted(os.path.basename(f) for f in glob.glob(PATH + "/*") + glob.glob(PATH + "/.c*")
                  if not f.endswith("ballast"))


def waiting():
    return t.json("a", "show bulkstats data")["records_waiting"]


t.quiet()
rows = kpi("a")
t.ctl("a", "bulkstats force gather")
t.equal(waiting(), 5, "a line for each eligible rule waits")
t.check(re.search(r"Last collection time required: +\d+ second\(s\)", t.ctl("a", "show bulkstats data")),
        "how long it took, in seconds")
t.equal(files(), [], "and nothing is written before the transfer")
t.ctl("a", "bulkstats force transfer")
t.becomes(waiting, 0, "it is written")
name = files()
t.equal(len(name), 1, "FR-128: one file, and nothing unfinished beside it")
with open(os.path.join(PATH, name[0])) as f:
    lines = f.read().splitlines()
host = name[0].removeprefix("kpi-")
t.equal((lines[0], lines[-1]), (f"begin {host}", "end"), "header and footer, and the name by its format")
parsed = {l.split(",")[1]: l.split(",")[2:] for l in lines[1:-1]}
t.equal(parsed, {r: [str(v[k]) for k in KEYS[1:]] for r, v in rows.items()},
        "FR-128, FR-151: the same values as the show, field by field")

t.say("a disk that is full")
fd = os.open(PATH + "/ballast", os.O_CREAT | os.O_WRONLY)
with contextlib.suppress(OSError):
    while os.write(fd, b"x" * 4096):
        pass
os.close(fd)
t.ctl("a", "bulkstats force gather")
t.ctl("a", "bulkstats force transfer")
t.becomes(lambda: t.json("a", "show bulkstats").get("last_failure", ""), lambda s: "space" in s,
          "it is said what went wrong")
t.equal((waiting(), files()), (5, name), "nothing is lost, and no part of a file is left")
with open(os.path.join(PATH, name[0])) as f:
    t.equal(f.read().splitlines(), lines, "the file of that name is as it was")
os.unlink(PATH + "/ballast")
t.ctl("a", "bulkstats force transfer")
t.becomes(waiting, 0, "with room it is written")

t.say("a session manager dies")
before = kpi("a", "instance 1")
row = [r for r in t.bed.show("a", "show task resources", "pid", "starts")
       if r["task"] == "sessmgr" and r["instance"] == 1][0]
os.kill(row["pid"], signal.SIGKILL)
held = before["alpha"]["active_flows"]
t.becomes(lambda: of("a", "alpha", "active_flows", "sr_received", what="instance 1"), (held, held),
          "FR-140, FR-138: its successor has as many flows, which it got from the aaamgr")
t.equal(of("a", "beta", *want, what="instance 1"), tuple(before["beta"][k] for k in want),
        "what was counted is still there")
old = t.flows("a", instance=1, rule="alpha")
at = next(i for i in (1, 2, 3, 4) if sub4(i) == old[0]["subscriber"])
flow(at, 7001, 25000)
new = t.flow("a", subscriber=sub4(at), subscriber_port=25000)
t.equal(({f["recovered"] for f in old}, new["instance"], new["recovered"]), ({True}, 1, False),
        "FR-135: recovered flows have the flag, a new one has not")
text = t.ctl("a", "show active-charging flows all")
t.check("Recovered Flow: (Y) - Yes (N) - No" in text, "FR-134: the legend")

t.say("a rule that is no longer eligible")
t.check(acs("trigger-condition which", "no rule-name = alpha"), "no rule-name = alpha")
t.equal(of("a", "alpha", "active_flows"), None, "FR-032: its line is gone")
t.ctl("a", "clear bulkstats data")
t.ctl("a", "bulkstats force gather")
t.check("alpha" not in t.ctl("a", "show bulkstats data"), "FR-032: from the next sample too")
t.check(acs("trigger-condition which", "rule-name = alpha"), "back")
t.becomes(lambda: of("a", "alpha", "active_flows", "gr_delete_sent"), lambda v: v and v[0] > 200 and v[1] == 0,
          "FR-031: it is there at once, with its flows; its counters begin anew")
t.check(acs("service-scheme scheme", "trigger flow-create", "no priority 1"), "no trigger priority")
t.equal(kpi("a"), {}, "FR-032: no line is left")
t.check(acs("service-scheme scheme", "trigger flow-create",
            "priority 1 trigger-condition which trigger-action recover"), "back")
t.equal(len(kpi("a")), 5, "all are there")
t.check(acs("subscriber-base default", "no priority 1"), "no binding of the scheme")
t.equal(kpi("a"), {}, "FR-032: no line is left")
t.check(acs("subscriber-base default", "priority 1 subs-class everybody bind service-scheme scheme"), "back")

t.say("shows of the service")
text = t.ctl("a", "show active-charging trigger-action all")
t.check(any(l.split(":")[0].strip() == "Flow recovery" and l.split(":")[1].strip() == "Enabled"
            for l in text.splitlines()), "FR-152: Flow recovery: Enabled", text)
t.check(acs("trigger-condition which", "delay = 600"), "a delay")
text = t.ctl("a", "show active-charging trigger-condition all")
t.check("Trigger Action Delay" in text and "600" in text, "FR-153: Trigger Action Delay", text)
t.check("Rule-name/GOR" in text and all(w in text for w in ("= alpha", "starts-with bet", "= " + LONG)),
        "FR-154: Rule-name/GOR, with operators and names", text)
service = t.json("a", "show active-charging service")
t.equal(service["flow_chkpt_per_sessmgr"], 1048576, "the limit of a session manager admits a million flows")
t.check({"flow_chkpt_refused_call", "flow_chkpt_refused_sessmgr"} <= set(service), "refusals by each limit")

t.say("without the key")
said, good = t.configure("a", "no license key-file")
t.check(not good and "in use" in said, "FR-009: a key that is needed is not given up", said)
said, good = t.configure("a", "no require session recovery", "active-charging service ecs", "trigger-action recover",
                       "no flow-recovery", "exit", "no system-limit flow-chkpt-per-call", "exit", "bulkstats mode", "file 1", "no flow-kpi schema fk",
                       "exit", "exit", "no license key-file")
t.check(good, "with nothing that needs one it is", said)
t.check("Flow Recovery is not licensed: its key is not installed" in
        (t.refused("a", "show active-charging flow-kpi all") or ""), "FR-126: flow-kpi answers Failure")
for what, *lines in (("FR-009: flow-recovery", "active-charging service ecs", "trigger-action recover", "flow-recovery"),
                     *((f"FR-009: {line}", "active-charging service ecs", line) for line in
                       ("system-limit flow-chkpt-per-call 11", "flow-recovery p2p", "flow-recovery edr",
                        "flow-recovery redirect", "flow-recovery parent-child", "flow-recovery content-filtering")),
                     ("FR-126: the schema", "bulkstats mode", "file 1", f'flow-kpi schema fk format "{fmt}"')):
    said, good = t.configure("a", *lines)
    t.check(not good and "Failure" in said and "Flow Recovery is disabled, its key is not installed" in said,
            f"{what} is refused", said)
t.check(acs("trigger-condition which", "delay = 5", "rule-name = alpha", "exit", "system-limit flow-chkpt-per-call 10"),
        "conditions and the default need none")
text = t.ctl("a", "show active-charging flows all")
t.check("Recovered" not in text and "Callid" in text, "FR-136: neither legend nor column", text[:200])
t.check(any("Flow Recovery" in l and "Disabled" in l for l in t.ctl("a", "show license information").splitlines()),
        "FR-009: show license information has it as Disabled")
t.end()
END
