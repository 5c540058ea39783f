#!/bin/bash
# Datagrams that are no beats of the peer: garbage, beats with a wrong authentication code, from another
# address, and a beat heard before. Each is counted and changes nothing.
BED_HELLO_MS=100 BED_DEAD_MS=900 # beats are sent below a second
. "$(dirname "$0")/lib/pair.sh"

send() { # SOURCE HEX...: datagrams to the control port of A
	bed_in b python3 -S -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind((sys.argv[1], 0))
for h in sys.argv[2:]:
    s.sendto(bytes.fromhex(h), ("10.3.0.2", 4711))' "$@"
}

pair_begin
pair_start
eventually "A hears beats" counter_above a beat_rx 3
eventually "B hears beats" counter_above b beat_rx 3
pids=$(bed_chassis_pids a)
bad=$(counter a beat_bad)
auth=$(counter a beat_auth)
head=$(tr -d ' ' <<<'53525042 01010100 00000000 00000002 00ffffffffffffff 0000000000001267')
head=$head$(printf '0%.0s' {1..64})
zeros=00000000000000000000000000000000
send 10.3.0.3 00 53 53525042 "$head" "$head$zeros$zeros" ffffffffffffffffffffffffffffffff "$head$zeros"
bed_in b ip addr add 10.3.0.9/24 dev srp0
send 10.3.0.9 "$head$zeros"
refused_all() { [ $(($(counter a beat_bad) + $(counter a beat_auth) - bad - auth)) -ge 8 ]; }
eventually "all of them are counted" refused_all
eventually "some for their form, or sender" counter_above a beat_bad "$bad"
heard=$(counter a beat_rx)
eventually "beats go on" counter_above a beat_rx $((heard + 3))
check "every process of A is the one it was" [ "$(bed_chassis_pids a)" = "$pids" ]
eventually "the pair is level" level a
pair_ends
