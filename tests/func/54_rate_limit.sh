#!/bin/bash
# A configured rate limit of flow checkpoints: each refusal counted once, for these kinds alone; all
# of them arrive in the end, and attempted = sent + rate limited at any time.
. "${0%/*}/lib/traffic.sh"
t_begin
t_srp 'checkpoint rate-limit 20 burst 20'

bed_config_charging() { t_recover_all; }
t_pair
t_python <<'END'
import re

from traffic import *

call = t.add("a", 1)
t.quiet()
t.check(re.search(r"checkpoint rate-limit 20 burst 20", t.ctl("a", "show configuration")),
        "FR-160: the rate is set, and can be read")
server = t.socket("srv", v4(20), 7001)
users = [t.socket("ue", sub4(1), 20000 + i) for i in range(80)]
for u in users:
    u.sendto(b"packet", (v4(20), 7001))
unsound, seen = [], []
began = time.monotonic()
for _ in turns(30):
    if len(t.flows("b")) >= 80:
        break
    r = t.checkpoints("a").get("ACS_FLOW_INFO")
    if r:
        seen.append((r["sent"], r["attempted"], r["rate_limited"]))
        if r["attempted"] != r["sent"] + r["rate_limited"]:
            unsound.append(seen[-1])
t.equal(len(t.flows("a")), 80, "80 flows at once")
took = time.monotonic() - began
t.equal(len(t.flows("b")), 80, "FR-160: all are on the standby in the end")
t.check(took > 2.5, f"FR-160: 60 more than the burst of 20, at 20 a second: {took:.1f} s")
t.check(any(s[0] < 80 and s[2] > 0 for s in seen), "some had to wait", seen[:5])
t.check(not unsound, f"FR-184: attempted = sent + rate limited in all of {len(seen)} readings", unsound[:3])
t.quiet()
row = t.checkpoints("a")["ACS_FLOW_INFO"]
t.equal(row["sent"], 80, "80 were sent")
t.equal(row["rate_limited"], 60, "FR-178: 60 of 80 were refused once: the burst is 20")
t.equal(row["attempted"], 140, "FR-178: 140 were attempted")
t.say("deletions are limited as well")
said = t.refused("b", "clear active-charging flows all")
t.check(said and "Failure: " in said and "0" not in said.split("Failure: ")[1],
        "the standby clears no flows, and says why", said)
t.equal(t.ctl("a", "clear active-charging flows all").strip(), "Flows cleared: 80",
        "cleared, of both session managers")
t.becomes(lambda: len(t.flows("b")), 0, "all are deleted in the end")
row = t.checkpoints("a")["DEL_ACS_FLOW_INFO"]
t.equal((row["sent"], row["attempted"]), (80, 80 + row["rate_limited"]),
        "80 sent, the rest rate limited")
t.check(row["rate_limited"] > 0, "some had to wait")
others = {k: r["rate_limited"] for k, r in t.checkpoints("a").items() if "ACS_FLOW_INFO" not in k}
t.equal(set(others.values()), {0}, "FR-159: no other kind is ever rate limited")
t.balanced("a", "b")

t.say("a planned switchover does not wait for the limit")
for u in users:
    u.sendto(b"packet", (v4(20), 7001))
wait_for("80 flows", PATIENCE, lambda: len(t.flows("a")) == 80)
t.check(len(t.flows("b")) < 80, "not all are on the standby")
t.switch("a", "b")
t.equal(len(t.flows("b", recovered=True)), 80, "after it all are, recovered")
t.synchronised("b", "a")
t.end()
END
