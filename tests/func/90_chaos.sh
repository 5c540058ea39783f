#!/bin/bash
# Storms of faults by lot over a pair with sessions and traffic that come and go: after each storm
# everything must be right again; see lib/chaos.py. The seed is printed: 90_chaos.sh SEED [SECONDS
# [FAULT...]] draws the same faults again.
BED_SUBSCRIBERS=24 BED_WALKINS=0
BED_HELLO_MS=${BED_HELLO_MS:-100} BED_DEAD_MS=${BED_DEAD_MS:-1500}
. "$(dirname "$0")/lib/pair.sh"

seed=${1:-$((RANDOM * 32768 + RANDOM))}
seconds=${2:-14}
say "seed $seed"
pair_begin
bed_chassis_start a
bed_chassis_start b
export BED_BUILD BED_CHASSISD BED_CHASSISCTL # chaos.py calls topology.sh
python3 "$PAIR_LIB/chaos.py" "$BED" "$BUILD" "$seed" "$seconds" "${@:3}" || fail "seed $seed"
say PASS
exit 0
