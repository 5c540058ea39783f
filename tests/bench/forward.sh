#!/bin/bash
# Measures how many packets one session manager forwards, with 2048 rules and both replicas on, beside a bare
# loop that reads from one TUN device and writes to another, in network namespaces; needs root.
# Usage: tests/bench/forward.sh --build DIR [--json FILE] [--sessions N] [--turns N]
# See forward.py for what the figures mean.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build/gcc json='' sessions=10000 turns=3
while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$(realpath -m "$2") ;;
	--json) json=$(realpath -m "$2") ;;
	--sessions) sessions=$2 ;;
	--turns) turns=$2 ;;
	*) sed -n '4,5s/^# \{0,1\}//p' "$0"; exit 2 ;;
	esac
	shift 2
done
[ "$(id -u)" -eq 0 ] || {
	echo "network namespaces need root"
	exit 77
}
export BED_BUILD=$build BED_SESSMGRS=1 BED_SUBSCRIBERS=0 BED_WALKINS=0 BED_SR=yes
export BED_SR_SESSIONS=$((sessions + 1000)) BED_SR_FLOWS=$((sessions * 3 + 3000))
# shellcheck source=tests/func/lib/topology.sh
. "$top/tests/func/lib/topology.sh"

# 2048 ruledefs: of URLs, of addresses and ports, and the one that the datagrams match.
bed_config_charging() {
	awk 'BEGIN {
		print "  active-charging service ecs\n    idle-timeout udp 3600\n    system-limit flow-chkpt-per-call 300"
		for (i = 0; i < 2046; i++) {
			line = i % 3 == 0 ? "http url contains /catalogue-" i "/" : \
				i % 3 == 1 ? "ip server-ip-address = 203.0." int(i / 256) "." i % 256 : \
				"tcp dst-port = " 10000 + i
			printf "    ruledef r%d\n      %s\n    #exit\n", i, line
		}
		print "    ruledef bulk\n      udp dst-port range 7100 to 7102\n    #exit"
		print "    ruledef any\n      ip any-match = TRUE\n    #exit"
		print "    charging-action count\n      content-id 1\n    #exit\n    rulebase gold"
		for (i = 0; i < 2046; i++)
			printf "      action priority %d ruledef r%d charging-action count\n", i + 1, i
		print "      action priority 3000 ruledef bulk charging-action count"
		print "      action priority 4000 ruledef any charging-action count\n    #exit"
	}'
	cat <<-END
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-condition which
		      rule-name = bulk
		    #exit
		    service-scheme scheme
		      trigger flow-create
		        priority 1 trigger-condition which trigger-action recover
		      #exit
		    #exit
		    subs-class everybody
		      any-match = TRUE
		    #exit
		    subscriber-base default
		      priority 1 subs-class everybody bind service-scheme scheme
		    #exit
		  #exit
		end
	END
}

trap bed_remove EXIT
trap 'exit 130' INT TERM HUP
bed_init "$(mktemp -d "${TMPDIR:-/tmp}/chassis-bench.XXXXXX")" && bed_network_up && bed_certs || exit
# Subscribers without a device: 10.128.0.0/15.
bed_in ue ip route add local 10.128.0.0/15 dev lo &&
	bed_in acc ip route add 10.128.0.0/15 via 10.44.0.2 &&
	bed_in a ip route add 10.128.0.0/15 via 10.1.0.254 &&
	bed_in b ip route add 10.128.0.0/15 via 10.1.0.254 || exit
for c in a b; do
	bed_config $c && sed -i 's|^    ip pool loaded .*|&\n    ip pool bench 10.128.0.0/15 srp-activate|' \
		"$BED/$c.cfg" || exit
done
PYTHONDONTWRITEBYTECODE=1 python3 "$top/tests/bench/forward.py" "$BED" "$build" "$sessions" "$turns" "$json"
