#!/bin/bash
# Packets that no honest host sends: cut at every byte, contradicting themselves, extension headers without
# end, overlapping fragments, bytes changed at random; in both directions. Every one is read and counted,
# the malformed are dropped as such, the session managers live and serve on.
. "$(dirname "$0")/lib/pair.sh"

# A subscriber and a server that are nobody's, so that nobody answers.
sub4=10.45.0.220 sub6=2001:db8:45:dc::1 srv4=$(bed_v4 99) srv6=$(bed_v6 99)

inject() { # SET up|down: past the kernel, into the device that the session managers read
	local device=acc
	[ "$2" = up ] || device=core
	bed_in a python3 -S "$PAIR_LIB/packets.py" $device - "$1" "$2" "$sub4" "$sub6" "$srv4" "$srv6"
}
all_read() { [ "$(counter a tun_read)" = "$1" ]; }
# Every packet that was read, made here, or came back from demuxmgr, was written, dropped by a counter, or
# handed to demuxmgr.
accounted() {
	local n all
	n=$(rows a 'show srp statistics' \
		tun_written,tun_write_failed,unknown_asked,unknown_limited,foreign_too_long | awk '{print $1 + $2 + $3 + $4 + $5}')
	n=$((n + $(rows a 'show srp statistics' drop_malformed,drop_discard,drop_redirect,drop_no_memory |
		awk '{print $1 + $2 + $3 + $4}')))
	all=$(rows a 'show srp statistics' tun_read,tun_made,foreign | awk '{print $1 + $2 + $3}')
	[ "$n" = "$all" ] || {
		say "   $n of $all"
		return 1
	}
}

pair_begin
pair_start
pair_sessions
pids=$(bed_chassis_pids a)
# shellcheck disable=SC2046
kill $(ip netns pids "$(bed_ns ue)")
settled() {
	local n
	n=$(counter a tun_read)
	bed_rest 0.3
	all_read "$n"
}
eventually "the talkers are silent" settled
check "the subscriber has a session" bed_ctl a \
	"session add imsi 001010000000220 apn internet ip-address $sub4 ipv6-address 2001:db8:45:dc::"

for way in up down; do
	for set in broken odd random; do
		read_before=$(counter a tun_read)
		bad_before=$(counter a drop_malformed)
		n=$(inject $set $way) || fail "the packets cannot be sent"
		eventually "$n $set packets ($way) are read" all_read $((read_before + n))
		bad=$(($(counter a drop_malformed) - bad_before))
		case $set in
		broken) check "all of them are dropped as malformed" [ $bad = "$n" ] ;;
		odd) check "none of them is" [ $bad = 0 ] ;;
		random) check "$bad of them are dropped as malformed, others are not" [ $bad -gt 0 -a $bad -lt "$n" ] ;;
		esac
	done
done
check "every packet is accounted for" accounted

say "By the network, as a subscriber would"
mac=$(bed_in acc cat /sys/class/net/ue/address)
read_before=$(counter a tun_read)
bad_before=$(counter a drop_malformed)
for set in broken odd random; do
	bed_in ue python3 -S "$PAIR_LIB/packets.py" ue0 "$mac" $set up "$sub4" "$sub6" "$srv4" "$srv6" >/dev/null ||
		fail "the packets cannot be sent"
done
eventually "some get through the routers" counter_above a tun_read "$read_before"
eventually "and are dropped" counter_above a drop_malformed "$bad_before"

say "What came of it"
check "every process of A is the one it was" [ "$(bed_chassis_pids a)" = "$pids" ]
talkers=
for ((i = 1; i <= PAIR_TALKERS; i++)); do talkers="$talkers $(bed_sub_v4 $i) $(bed_sub_v6 $i)"; done
pair_talk again "$talkers"
again() { serves again; }
eventually "every flow is answered" again
eventually "both have the same" equal a
check "no switchover was made" [ -z "$(losses a)" ]
pair_ends
