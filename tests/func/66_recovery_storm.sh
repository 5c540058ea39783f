#!/bin/bash
# Deaths of tasks by lot over a pair with real traffic, in rounds, with switchovers before and behind them;
# after each round everything must be right again; see lib/recovery_storm.py. The seed is printed:
# 66_recovery_storm.sh SEED [ROUNDS] draws the same again.
export BED_SESSMGRS=3 BED_SUBSCRIBERS=200 BED_WALKINS=4 BED_SR=yes BED_LONG_RATE=50 BED_LONG_SECONDS=60
export BED_HELLO_MS=${BED_HELLO_MS:-200} BED_DEAD_MS=${BED_DEAD_MS:-1500}
. "${0%/*}/lib/traffic.sh"
t_begin curl dig ping iperf3 nginx dnsmasq
for p in outside probe; do
	[ -x "$BUILD/examples/$p" ] || t_skip "$BUILD/examples/$p is not built"
done
seed=${1:-$((RANDOM * 32768 + RANDOM))}
echo "seed $seed"
bed_subscribers
t_pair
bed_servers_up || t_fail "the servers did not start"
bed_ctl a "session load $BED/subscribers.csv" || t_fail "session load"
PYTHONDONTWRITEBYTECODE=1 python3 "$T_LIB/recovery_storm.py" "$BED" "$BUILD" "$seed" "${2:-25}" ||
	t_fail "seed $seed"
