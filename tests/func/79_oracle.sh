#!/bin/bash
# An oracle that classifies the same packets by itself: random rulebases (addresses, ports, pools, TCP states,
# HTTP requests and responses, TLS, QUIC, DNS, an application; groups, priorities, multi-line-or, discards,
# post-processing), rules and bearers that calls are given and lose meanwhile, random conversations packet by
# packet through the pair, fragments and ICMP errors among them; before and after random switchovers and deaths
# of session managers, which meet conversations wherever they are. The oracle reads each packet that is sent and
# says by which rule it is charged.
# Then, in the same way, with what ecsreplay makes of the packets of a rulebase.
#   ORACLE_SEED   the first seed; else 41, so that a run says the same twice: take `date +%s` to search
#   ORACLE_SEEDS  how many, one after the other; else 2
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
seed=${ORACLE_SEED:-41}
if [ "${ORACLE_SEEDS:-2}" -gt 1 ]; then
	for ((i = 0; i < ${ORACLE_SEEDS:-2}; i++)); do
		ORACLE_SEEDS=1 ORACLE_SEED=$((seed + i)) "$0" || exit
	done
	exit 0
fi
t_begin
t_srp 'control-pending timeout 600'
echo "ORACLE_SEED=$seed"
bed_config_charging() {
	PYTHONDONTWRITEBYTECODE=1 python3 "$T_LIB/oracle_world.py" "$seed"
}
t_pair
ORACLE_SEED=$seed t_python <<'END'
import os

from oracle_pair import Pair
from oracle_world import World
from traffic import t

seed = int(os.environ["ORACLE_SEED"])
pair = Pair(World(seed), seed + 1)
pair.traffic("before", 600)
events = ["planned switchover", "death of a session manager", "kill -9 of the active chassis"]
pair.r.shuffle(events)
for what in events + [pair.r.choice(events)]:
    pair.recovered(what, pair.event(what))
    if pair.r.random() < 0.3:  # the next one before any packet has come
        what = pair.r.choice(events[:2])
        pair.recovered(what, pair.event(what))
    pair.traffic(f"after {what}", 350)
rules = {n for _, n in pair.oracle.charged}
t.check(len(rules) > 12 and pair.judged() > 2000,
        f"{pair.judged()} packets were charged to {len(rules)} rules, in {pair.rounds} rounds")
t.say("ecsreplay of what was sent")
if os.access(os.path.join(t.bed.build, "ecsreplay"), os.X_OK):
    pair.replay()
else:
    t.say("it is not built")
t.end()
END
