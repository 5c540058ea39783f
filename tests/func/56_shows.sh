#!/bin/bash
# What the operator sees: each show as text and as JSON that say the same, filters, unique prefixes,
# the checkpoint tables column for column.
. "${0%/*}/lib/traffic.sh"
t_begin
t_pair
t_python <<'END'
import os
import re
import shows
from traffic import *

call = t.add("a", 1)
t.add("a", 2)
servers = {p: t.socket("srv", v4(70), p) for p in (7007, 7008)}
user = t.socket("ue", sub4(1), 20000)
echo(user, servers[7007], b"x" * 10, (v4(70), 7007))
t.quiet()
t.ctl("a", "clear active-charging flows all")
echo(user, servers[7007], b"x" * 10, (v4(70), 7007))
echo(user, servers[7008], b"x" * 10, (v4(70), 7008))
t.quiet()

t.say("every show, as text and as JSON")
SHOWS = {
    "show srp info": ["Chassis State:", "Peer State:", "Last Verified Equal:"],
    "show srp checkpoint statistics": ["Number of Sessmgrs:",
                                       "SRP Session Checkpoint Sent Statistics",
                                       "SRP Session Checkpoint Received Statistics"],
    "show srp checkpoint statistics verbose": ["smgr inst"],
    "show srp checkpoint statistics sessmgr all": ["Full Checkpoint"],
    "show srp checkpoint statistics sessmgr instance 1": ["Checkpoint-type"],
    "show srp checkpoint info": ["CMD-ID", "ACS_FLOW_INFO"],
    "show srp call-loss statistics": ["Total switchovers: 0"],
    "show srp statistics": ["Data plane:"],
    "show srp replica": ["Equations:", "Total replicas: 2"],
    "show srp replica instance 2": ["Total replicas: 1"],
    "show active-charging flows all": ["Recovered Flow: (Y) - Yes (N) - No", "Total flows: 2"],
    "show active-charging flows full": ["Idle timeout (s):"],
    f"show active-charging flows callid {call}": ["Total flows: 2"],
    "show active-charging sessions all": ["content-id", "session"],
    f"show active-charging sessions callid {call}": ["Total volumes:"],
    "show active-charging ruledef statistics": ["Ruledef Name", "Total Ruledef(s) : 11"],
    "show active-charging ruledef statistics all charging": ["Match-Bypassed"],
    "show active-charging rulebase all": ["gold"],
    "show active-charging rulebase name gold": ["gold"],
    "show active-charging service-scheme all": ["scheme"],
    "show active-charging trigger-action all": ["Flow recovery:", "Enabled"],
    "show active-charging trigger-condition all": ["Trigger Action Delay:", "Rule-name/GOR:"],
    "show subscribers all": ["Total subscribers matching specified criteria: 2"],
    f"show subscribers full callid {call}": ["Username:"],
    "show task resources": ["sessmgr", "vpnmgr"],
    "show version": ["Image Version:"],
    "show configuration": ["service-redundancy-protocol"],
    "show configuration errors": ["error(s) in this section"],
}
for command, needed in SHOWS.items():
    for chassis in "ab":
        text = t.ctl(chassis, command)
        if chassis == "a":
            missing = [n for n in needed if n not in text]
            t.check(not missing, f"{command}: text", missing)
        try:
            t.check(isinstance(t.json(chassis, command), dict),
                    f"{command} | json, on {chassis}: an object")
        except ValueError as e:
            t.check(False, f"{command} | json, on {chassis}: an object", e)

t.say("the same in both")
info, doc = t.ctl("a", "show srp info"), t.json("a", "show srp info")["srp"]
for label, key in (("Chassis State", "chassis_state"), ("Peer State", "peer_state"),
                   ("Peer Remote Address", "peer_address"),
                   ("Connection State", "connection"), ("Chassis Priority", "chassis_priority")):
    t.equal(re.search(rf"^{label}:\s+(.*?)\s*$", info, re.M).group(1), str(doc[key]),
            f"show srp info: {label}")
t.equal((doc["chassis_state"], doc["peer_state"], doc["connection"]),
        ("Active", "Standby", "Connected"), "as they are")
text = t.ctl("a", "show active-charging ruledef statistics")
rows_text = {l.split()[0]: [int(x) for x in l.split()[1:]] for l in text.splitlines()
             if len(l.split()) == 7 and l.split()[1].isdigit()}
for r in t.json("a", "show active-charging ruledef statistics")["ruledefs"]:
    t.equal(rows_text.get(r["name"]), [r["packets_down"], r["bytes_down"], r["packets_up"],
                                       r["bytes_up"], r["hits"], r["match_bypassed"]],
            f"ruledef statistics, {r['name']}: seven fields")
flow = [l for l in t.ctl("a", "show active-charging flows all").splitlines() if " 7007 " in l]
t.check(len(flow) == 1 and flow[0].split()[0] == "N" and call in flow[0]
        and "probe" in flow[0].split(), "flows: N, call-id, rule", flow)

t.say("the checkpoint tables")
text = t.ctl("a", "show srp checkpoint statistics")
t.equal(t.ctl("a", "show srp checkpoint statistics sessmgr all").split("=\n")[0].count("\n"),
        text.split("=\n")[0].count("\n"),
        "FR-161: with `sessmgr all`: the same table")
titles = ["Checkpoints Rate limited", "Bytes sent", "External_audit_in_progress",
          "Recovery in progress", "Write list congested",
          "Invalid GR state", "Session not ready for recovery", "Encoding failure ignored",
          "Encoding failure",
          "Ignored as Invalidate CRR sent", "Ignored as first FC never sent",
          "Checkpoint rate(last 30 min)",
          "Checkpoint rate(now)", "Encoding attempted", "Messages sent", "Checkpoint-type"]
lines = [l.rstrip() for l in text.splitlines()]
at = lines.index("SRP Session Checkpoint Sent Statistics")
t.equal(lines[at + 1], "=" * 38, "FR-162: the title is underlined")
for i, title in enumerate(titles):
    line = lines[at + 2 + i]
    t.check(re.fullmatch(re.escape(title) + r"(-+\+| +\|)( +\|)*", line) is not None,
            f"FR-162: ladder line {i + 1}: {title}", line)
t.equal(lines[at + 2 + 15].count("|"), 15, "fifteen columns")
end = next(i for i in range(at + 18, len(lines)) if lines[i].startswith("=" * 90))
data = [l for l in lines[at + 18:end] if l]
names = []
for l in data:
    m = re.fullmatch(r" *(.+?)((?: +\d+){15})", l)
    t.check(m is not None,
            f"FR-163: row: a name and fifteen numbers: {l.split('  ')[0].strip() or l.strip()[:17]}", l)
    if m:
        names.append(m.group(1))
        row = t.checkpoints("a")[m.group(1)]
        v = [int(x) for x in m.group(2).split()]
        t.equal((v[0], v[1], v[13], v[14]), (row["sent"], row["attempted"], row["bytes_sent"],
                                             row["rate_limited"]), f"{m.group(1)}: as in JSON")
t.equal(names[-1], "Full Checkpoint", "FR-163, FR-183: the last row is Full Checkpoint")
t.quiet()
sent = t.checkpoints("a")
wire = t.counter("a", "bytes_out")
total = sum(r["bytes_sent"] for r in sent.values())
t.check(all(r["bytes_sent"] >= 4 * r["sent"] for r in sent.values()) and total < wire < 2 * total + 100000,
        f"FR-177: bytes of records are those of the link less frames and digests: {total} of {wire}")
d = sent["DEL_ACS_FLOW_INFO"]
t.check(d["bytes_sent"] % d["sent"] == 0, "FR-177: records of one size: bytes divide by messages", d)
t.check({"ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO", "ACS_SESS_INFO", "ACS_CALL_INFO",
         "ACS_USAGE_INFO"} <= set(names), "rows of all that was sent", names)


def of(instance):
    return {r["checkpoint_type"]: r["sent"] for r in t.json("a",
            f"show srp checkpoint statistics sessmgr instance {instance}")["sent"]}


both = {k: of(1).get(k, 0) + of(2).get(k, 0) for k in {**of(1), **of(2)}}
t.equal(both, {k: r["sent"] for k, r in t.checkpoints("a").items()},
        "FR-161: the instances add up to the whole")
t.check(re.search(r"^Number of Sessmgrs: +2$", text, re.M)
        and re.search(r"Sessmgrs in Active-Connected state: +2$", text, re.M),
        "upper part: two session managers, active and connected")
t.check(re.search(r"Sessmgrs in Standby-Connected state: +2$",
                  t.ctl("b", "show srp checkpoint statistics"), re.M),
                  "on B: standby and connected")
ids = {r["name"]: r["cmd_id"] for r in t.json("a", "show srp checkpoint info")["kinds"]}
t.equal({k: ids.get(k) for k in ("INVALIDATE_CRR", "UPDATE_CLPSTATS", "ACS_SESS_INFO",
                                 "ACS_CALL_INFO", "ACS_FLOW_INFO",
                                 "DEL_ACS_FLOW_INFO", "ACS_USAGE_INFO", "Full Checkpoint")},
        {"INVALIDATE_CRR": 1, "UPDATE_CLPSTATS": 4, "ACS_SESS_INFO": 33, "ACS_CALL_INFO": 179,
         "ACS_FLOW_INFO": 210,
         "DEL_ACS_FLOW_INFO": 211, "ACS_USAGE_INFO": 212, "Full Checkpoint": 240}, "CMD-IDs")

t.say("filters and prefixes")
t.equal([l for l in t.ctl("a", "show srp info | grep State").splitlines() if "State" not in l], [],
        "| grep")
t.check("Chassis Mode" not in t.ctl("a", "show srp info | grep state") + t.ctl("a",
        "show srp info | grep -v Mode"), "| grep is case-sensitive; -v")
t.check("Chassis State" in t.ctl("a", "show srp info | grep -i STATE"), "| grep -i")
t.equal(len(t.ctl("a", 'show srp info | grep -E "^(Term|Peer Mode):"').splitlines()), 2,
        "| grep -E")
t.equal(t.ctl("a", "show subscribers all | grep user1 | grep -v user2").count("\n"), 1,
        "one after another")
t.check(t.ctl("a", "show configuration | more") == t.ctl("a", "show configuration"),
        "| more, where nobody looks")
t.check("10.45.0.1" in t.ctl("a", "show subscribers all | json | grep 10.45.0.1"),
        "JSON can be filtered too")
t.equal(t.ctl("a", "sh act fl a | grep Total"),
        t.ctl("a", "show active-charging flows all | grep Total"), "unique prefixes")
for bad in ("show", "show srp", "show nothing", "show active-charging flows callid zz",
            "show srp info | frob", "show srp info | grep", "s s i",
            "show active-charging rul statistics | grep nothing", "show nothing | json | grep zzz"):
    said = t.refused("a", bad)
    t.check(said and ("Failure:" in said or '{"failure":' in said),
            f"refused, status not 0, with the reason: {bad!r}", said)

t.say("every show of the table of commands, in every form")
NAMES = {"bandwidth-policy": "pol", "qos-group-of-ruledefs": "qg", "ruledef": "probe", "rulebase": "gold",
         "charging-action": "lim", "packet-filter": "pf", "group-of-ruledefs": "streams", "host-pool": "hp",
         "port-map": "pm", "subs-class": "two", "subscriber-base": "default", "xheader-format": "xf",
         "edr-format": "ef", "udr-format": "uf", "service-scheme": "scheme", "trigger-action": "recover",
         "trigger-condition": "more", "service": "ecs"}
t.both_charge("ab", "host-pool hp", "ip 192.0.2.1", "ip range 192.0.2.4 to 192.0.2.9", "#exit", "port-map pm",
              "port range 7000 to 7100", "#exit", "packet-filter pf", "ip protocol = 17", "#exit",
              "edr-format ef", "attribute sn-rulebase priority 1", "event-label x priority 2", "#exit",
              "udr-format uf", "attribute sn-start-time priority 1", "#exit",
              "xheader-format xf", 'insert X-A string-constant "b c"', "#exit",
              "bandwidth-policy pol", "flow limit-for-bandwidth id 1 group-id 1",
              "group-id 1 direction uplink peak-data-rate 100000 peak-burst-size 20000 violate-action discard",
              "#exit", "charging-action lim", "content-id 9",
              "flow limit-for-bandwidth direction uplink peak-data-rate 800000 peak-burst-size 9000 violate-action discard",
              "#exit", "charging-action 100", "flow action discard", "billing-action create-edrs charging-edr ef", "#exit",
              "ruledef given", "udp either-port = 7010", "#exit",
              "ruledef slow", "udp either-port = 7011", "#exit", "ruledef gone", "udp either-port = 7012", "#exit",
              "ruledef routed", "rule-application routing", "tcp either-port = 8080", "#exit",
              "ruledef posted", "rule-application post-processing", "udp either-port = 7011", "#exit",
              "qos-group-of-ruledefs qg", "#exit", "rulebase gold",
              "action priority 5 dynamic-only ruledef given charging-action lim",
              "action priority 6 ruledef slow charging-action lim monitoring-key 7 description 100",
              "action priority 7 ruledef gone charging-action 100",
              "post-processing priority 1 ruledef posted charging-action lim", "route priority 1 ruledef routed analyzer http",
              "#exit", "trigger-action idle", "#exit", "trigger-condition more", "rule-name = probe",
              "rule-name starts-with 10", "rule-name contains z", "delay = 3", "#exit", "service-scheme none", "#exit",
              "subs-class two", "rulebase = gold", "apn = internet", "multi-line-or all-lines", "#exit")
t.ctl("a", f'session rule install callid {call} name dyn precedence 3 filters "udp any port 7013" content-id 7 rating-group 8')
t.ctl("a", f"session rule activate callid {call} name given")
t.ctl("a", f'session bearer create callid {call} id 6 qci 3 arp 2 mbr-uplink 500 tft "udp any port 7014"')
t.ctl("a", f"active-charging packet-trace callid {call}")
for port in (7010, 7011, 7012, 7013, 7014):
    servers[port] = t.socket("srv", v4(70), port)
    user.sendto(b"x" * 100, (v4(70), port))
    if port != 7012:
        t.check(arrives(servers[port]) is not None, f"a packet to port {port}")
t.ctl("a", "no active-charging packet-trace all")
t.quiet()


def answers(command):
    """Its text and its JSON; None where it is refused."""
    out = []
    for more in ("", " | json"):
        try:
            out.append(t.ctl("a", command + more))
        except BedError as e:
            out.append(None)
            said = str(e)
            if more and '{"failure":' not in said:
                t.check(False, f"{command}: refused in JSON", said)
    return out


def whole(command):
    """What is wrong with a show; None: nothing."""
    text, doc = answers(command)
    if text is None or doc is None:
        return None if text is doc else "refused in one of both"
    try:
        doc = shows.load(doc)
    except ValueError as e:
        return f"no JSON: {e}"
    except shows.Bad as e:
        return str(e)
    filled.update(k for k, v in doc.items() if v and isinstance(v, list))
    types = sorted(set(shows.mixed(doc)) - MIXED)
    return f"of two types: {types}" if types else shows.compare(text, doc)


MIXED = {"qos_class_identifier", "flow_mapping_idle_timeout"}  # a number, or that there is none
filled, seen = set(), 0
for pattern in shows.patterns():
    word = pattern.split()[2].strip("{") if "active-charging" in pattern else ""
    given = {"callid": call, "num": "1", "name": NAMES.get(word, "nobody"), "text": NAMES.get(word, "nobody"),
             "msid": "001010000000001", "username": "user1", "after": "0"}
    wrong = {f: w for f in shows.forms(pattern, given) if (w := whole(f)) is not None}
    seen += len(shows.forms(pattern, given))
    t.check(not wrong, f"{pattern}: JSON says what text says", wrong)
t.check(seen > 150, "all of them", seen)
lacks = {"flows", "volumes", "sessions", "dynamic_rules", "bearers", "rate_limits", "limits", "charging_actions", "ruledefs",
         "rulebases", "post_processing", "routes", "options", "objects", "service_schemes", "trigger_actions",
         "trigger_conditions", "flow_kpi", "variables", "subscribers", "configuration", "active_charging", "quotas",
         "packets", "charging_methods", "sent", "kinds", "replicas", "lifetime_buckets"} - filled
t.check(not lacks, "and none of these lists is always empty", lacks)

t.say("the configuration that is shown can be loaded")
path = t.bed.path("shown.cfg")
with open(path, "w", encoding="utf-8") as f:
    f.write(t.ctl("a", "show configuration"))
p = subprocess.run([os.environ["BED_CHASSISD"], "-t", "-c", path], capture_output=True, text=True,
                   check=False)
t.equal(p.returncode, 0, "chassisd -t accepts it")
for bad, text in (("end of block", "configure\n context x\n  interface acc0\n   frob 1\n"),
                  ("keyword", "configure\n nonsense here\n")):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    p = subprocess.run([os.environ["BED_CHASSISD"], "-t", "-c", path], capture_output=True,
                       text=True, check=False)
    t.check(p.returncode != 0 and "shown.cfg:" in p.stderr + p.stdout,
            f"and refuses a bad one with file and line ({bad})", p.stderr)
t.end()
END
