#!/bin/bash
# Who is not the peer gets no connection: a wrong CA, a wrong name, an expired certificate, none, an old
# TLS, garbage, half a ClientHello, another address. Each is counted, named in the log, and disturbs
# nothing. The same from a server whose certificate is wrong.
. "$(dirname "$0")/lib/pair.sh"

client() { # PORT OPTIONS...: a TLS client from the peer's address
	local port=$1
	shift
	bed_in b timeout 20 openssl s_client -connect "10.3.0.2:$port" -CAfile "$BED/pair.pem" "$@" \
		</dev/null >/dev/null 2>&1
	return 0
}
with() { echo "-cert $BED/$1.pem -key $BED/$1.key"; } # CERTIFICATE

# TEXT REASON COMMAND...: the reason's counter rises, and the log has it (the same text only once in
# sequence).
tried() {
	local text=$1 reason=$2 before
	shift 2
	before=$(tls_refused a "$reason")
	mark a
	"$@"
	counted() { [ "$(tls_refused a "$reason")" -gt "$before" ]; }
	eventually "$text: refused and counted" counted
	eventually "and named in the log" logged a "SRP .* connection refused: $reason"
}

garbage() { # BYTES, as printf %b takes them
	bed_in b timeout 20 bash -c \
		'exec 3<>/dev/tcp/10.3.0.2/4711; printf "%b" "$0" >&3; cat <&3 >/dev/null' "$1"
}

pair_begin
bed_ca other && bed_cert other stranger b.pair.test && bed_cert pair misnamed c.pair.test &&
	bed_cert pair wildcard '*.pair.test' || fail "no certificates"
bed_cert pair expired b.pair.test
openssl x509 -req -in "$BED/expired.csr" -CA "$BED/pair.pem" -CAkey "$BED/pair.key" -CAcreateserial \
	-days -1 -extfile <(echo subjectAltName=DNS:b.pair.test) -out "$BED/expired.pem" 2>/dev/null ||
	fail "no expired certificate"
pair_start
pair_sessions

chain='certificate does not chain to the configured CA'
name='certificate does not carry the configured name'
# shellcheck disable=SC2046
{
	tried "another CA" "$chain" client 4711 $(with stranger)
	tried "another CA, at an instance" "$chain" client 4712 $(with stranger)
	tried "another name" "$name" client 4711 $(with misnamed)
	tried "an expired certificate" 'certificate expired or not yet valid' client 4711 $(with expired)
	tried "a name with a wildcard" "$name" client 4711 $(with wildcard)
	tried "no certificate" 'no certificate' client 4711
	tried "TLS 1.2" 'no common TLS version' client 4711 -tls1_2 $(with b)
	tried "HTTP" 'not TLS' garbage 'GET / HTTP/1.0\r\n\r\n'
	tried "garbage" 'not TLS' garbage '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'
}

say "An address that is not the peer's, with the peer's certificate"
bed_in b ip addr add 10.3.0.9/24 dev srp0
before=$(counter a peer_refused)
mark a
# shellcheck disable=SC2046
client 4711 -bind 10.3.0.9:0 $(with b)
eventually "it is counted" counter_above a peer_refused "$before"
eventually "and named in the log" logged a 'SRP control connection refused: 10.3.0.9 is not the peer'

say "Half a ClientHello, of as many as are let in at once and more"
before=$(counter a peer_refused)
mark a
for n in 1 2 3 4 5 6 7 8 9 10; do
	bed_spawn half b bash -c 'exec 3<>/dev/tcp/10.3.0.2/4711
		printf "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" >&3; cat <&3'
done
check "every flow is answered meanwhile" serves
eventually "they are counted" counter_above a peer_refused $((before + 9))
eventually "and named in the log" logged a 'SRP control connection refused: handshake not finished within 5 seconds'

say "What came of it"
check "the pair is as it was" equal a
check "its connections were not lost" [ "$(counter a conn_down)$(counter b conn_down)" = 00 ]
check "nor those of the instances" [ "$(counter a peer_down)" = 0 ]
check "no switchover was made" [ -z "$(losses a)$(losses b)" ]
check "every flow is answered" serves

say "A server with a wrong certificate in the place of A"
bed_chassis_kill a
eventually "B is active" is b Active
mark b
before=$(tls_refused b "$chain")
# shellcheck disable=SC2046
bed_spawn server a openssl s_server -accept 10.3.0.2:4711 -tls1_3 -cert "$BED/stranger.pem" \
	-key "$BED/stranger.key" -CAfile "$BED/pair.pem" -Verify 1 -quiet
counted() { [ "$(tls_refused b "$chain")" -gt "$before" ]; }
eventually "it is refused and counted by B" counted
eventually "and named in its log" logged b "SRP control connection refused: $chain"
eventually "B has no connection" info_is b connection None
# shellcheck disable=SC2046
kill $(ip netns pids "$(bed_ns a)")
bed_chassis_start a
eventually "the true A is let in, and filled" equal b
check "every flow is answered" serves
pair_ends
