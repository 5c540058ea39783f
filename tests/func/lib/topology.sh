# shellcheck shell=bash
# topology: the bed of the main job and of the functional tests: subscribers, access network, two
# chassis, core network and servers as network namespaces on one machine, joined by veth pairs and
# bridges. To be sourced; or called as a program: topology.sh DIRECTORY FUNCTION [ARGUMENT...].
#
#   ue --- acc (router, bridge) === a acc0   a core0 === core (bridge) --- srv
#                               === b acc0   b core0 ===
#                                   a srp0 --- b srp0
#
# All state is in the directory $BED. Names begin with $BED_PREFIX, of the process that made the bed, so
# that several beds do not meet. bed_down removes everything that was made, and may be called twice.

BED_SUBSCRIBERS=${BED_SUBSCRIBERS:-200} # loaded from a file
BED_WALKINS=${BED_WALKINS:-20}          # sessions by their first packet
BED_SESSMGRS=${BED_SESSMGRS:-2}
BED_HELLO_MS=${BED_HELLO_MS:-100}
BED_DEAD_MS=${BED_DEAD_MS:-1000}
BED_GRO=${BED_GRO:-no}
BED_SR=${BED_SR:-no}                        # session recovery
BED_SR_SESSIONS=${BED_SR_SESSIONS:-3000}    # that a standby session manager has room for
BED_SR_FLOWS=${BED_SR_FLOWS:-9000}
BED_RULEBASE=gold

# One line per rule: name, kind, last part of the server's addresses.
#   l7: recognised by the first payload; l34: by addresses and ports alone.
BED_RULES="
web     l7  10
files   l7  20
secure  l7  30
streams l7  40
names   l34 50
bulk    l34 60
probe   l34 70
echo    l34 80
"

bed_init() { # DIRECTORY: begins a new bed
	BED=$1
	mkdir -p "$BED" || return
	echo "s$$" >"$BED/prefix"
	bed_use "$BED"
}

bed_use() { # DIRECTORY: goes on with a bed that exists
	BED=$1
	BED_PREFIX=$(cat "$BED/prefix") || return
	local lib
	lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
	BED_TOP=$(cd "$lib/../../.." && pwd)
	BED_BUILD=${BED_BUILD:-$BED_TOP/build}
	BED_CHASSISD=${BED_CHASSISD:-$BED_BUILD/chassisd}
	BED_CHASSISCTL=${BED_CHASSISCTL:-$BED_BUILD/chassisctl}
}

bed_ns() { echo "$BED_PREFIX$1"; }

bed_in() { # NAMESPACE COMMAND...
	local ns=$BED_PREFIX$1
	shift
	ip netns exec "$ns" "$@"
}

bed_v4() { echo "198.51.100.$1"; }     # of a server
bed_v6() { echo "2001:db8:99::$1"; }
bed_sub_v4() { printf '10.45.%d.%d\n' $(($1 / 256)) $(($1 % 256)); } # of a subscriber, from 1 on
bed_sub_v6() { printf '2001:db8:45:%x::1\n' "$1"; }
bed_walkin_v4() { printf '10.46.0.%d\n' "$1"; }

# --- network ------------------------------------------------------------------------------------

# Segments are counted as they are on the wire: nothing may put them together, or take them apart later.
bed_no_offload() { # NAMESPACE DEVICE
	bed_in "$1" ethtool -K "$2" gso off tso off gro off tx-udp-segmentation off >/dev/null 2>&1
}

bed_veth() { # NAMESPACE1 DEVICE1 NAMESPACE2 DEVICE2
	ip link add "$2" netns "$BED_PREFIX$1" type veth peer name "$4" netns "$BED_PREFIX$3" &&
		bed_in "$1" ip link set "$2" up && bed_in "$3" ip link set "$4" up
}

bed_bridge() { # NAMESPACE BRIDGE PORT...
	local ns=$1 br=$2 port
	shift 2
	bed_in "$ns" ip link add "$br" type bridge stp_state 0 forward_delay 0 &&
		bed_in "$ns" ip link set "$br" up || return
	for port; do
		bed_in "$ns" ip link set "$port" master "$br" || return
	done
}

bed_namespaces() {
	local ns
	for ns in ue acc a b core srv; do
		ip netns add "$BED_PREFIX$ns" &&
			bed_in $ns sysctl -qw net.ipv6.conf.all.accept_dad=0 \
				net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0 \
				net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0 &&
			bed_in $ns ip link set lo up || return
	done
}

bed_links() {
	local c
	bed_veth ue ue0 acc ue && bed_veth srv srv0 core srv && bed_veth a srp0 b srp0 || return
	for c in a b; do
		bed_veth $c acc0 acc "acc-$c" && bed_veth $c core0 core "core-$c" || return
	done
	bed_bridge acc lan acc-a acc-b && bed_bridge core lan core-a core-b srv || return
	bed_no_offload ue ue0 && bed_no_offload acc ue && bed_no_offload srv srv0 &&
		bed_no_offload core srv || return
	# On request the chassis get super-packets, which must be charged as their segments.
	[ "$BED_GRO" = no ] || for c in a b; do
		# a veth device puts together only what its peer could not have left whole
		bed_in acc ethtool -K acc-$c tso off && bed_in core ethtool -K core-$c tso off &&
			bed_in $c ethtool -K acc0 gro on && bed_in $c ethtool -K core0 gro on &&
			bed_in $c sh -c 'for d in acc0 core0; do
				echo 200000 >/sys/class/net/$d/gro_flush_timeout || exit
			done' || return
	done
}

# Commands for `ip -batch`: subscribers and servers have many addresses.
bed_batch_ue() {
	local i
	echo "addr add 10.44.0.2/30 dev ue0"
	echo "addr add fd44::2/64 dev ue0 nodad"
	for ((i = 1; i <= BED_SUBSCRIBERS; i++)); do
		echo "addr add $(bed_sub_v4 "$i")/32 dev ue0"
		echo "addr add $(bed_sub_v6 "$i")/128 dev ue0 nodad"
	done
	for ((i = 1; i <= BED_WALKINS; i++)); do
		echo "addr add $(bed_walkin_v4 "$i")/32 dev ue0"
	done
	echo "route add default via 10.44.0.1"
	echo "route add default via fd44::1"
}

bed_batch_srv() {
	local name kind last
	echo "addr add 10.2.0.254/24 dev srv0"
	echo "addr add fd02::fe/64 dev srv0 nodad"
	while read -r name kind last; do
		[ -n "$name" ] || continue
		echo "addr add $(bed_v4 "$last")/32 dev lo"
		echo "addr add $(bed_v6 "$last")/128 dev lo nodad"
	done <<<"$BED_RULES"
	echo "route add default via 10.2.0.1"
	echo "route add default via fd02::1"
}

bed_batch_acc() {
	cat <<-END
		addr add 10.44.0.1/30 dev ue
		addr add fd44::1/64 dev ue nodad
		addr add 10.1.0.254/24 dev lan
		addr add fd01::fe/64 dev lan nodad
		route add default via 10.1.0.1
		route add default via fd01::1
		route add 10.45.0.0/16 via 10.44.0.2
		route add 10.46.0.0/16 via 10.44.0.2
		route add 2001:db8:45::/48 via fd44::2
	END
}

# Of a chassis: its own addresses are in its configuration; the ways to subscribers and servers are
# the host's.
bed_batch_chassis() { # NUMBER: 2 or 3
	cat <<-END
		addr add 10.1.0.$1/24 dev acc0
		addr add fd01::$1/64 dev acc0 nodad
		addr add 10.2.0.$1/24 dev core0
		addr add fd02::$1/64 dev core0 nodad
		addr add 10.3.0.$1/24 dev srp0
		route add 10.45.0.0/16 via 10.1.0.254
		route add 10.46.0.0/16 via 10.1.0.254
		route add 2001:db8:45::/48 via fd01::fe
		route add 198.51.100.0/24 via 10.2.0.254
		route add 2001:db8:99::/64 via fd02::fe
	END
}

bed_network_up() {
	bed_namespaces && bed_links || return
	bed_batch_acc | bed_in acc ip -batch - &&
		bed_batch_srv | bed_in srv ip -batch - &&
		bed_batch_ue | bed_in ue ip -batch - &&
		bed_batch_chassis 2 | bed_in a ip -batch - &&
		bed_batch_chassis 3 | bed_in b ip -batch - || return
	bed_in acc sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# A kernel router with the service addresses in place of chassis $1, to test the bed itself.
bed_router_up() {
	bed_in "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 &&
		bed_in "$1" ip addr add 10.1.0.1/32 dev acc0 &&
		bed_in "$1" ip addr add 10.2.0.1/32 dev core0 &&
		bed_in "$1" ip addr add fd01::1/128 dev acc0 nodad &&
		bed_in "$1" ip addr add fd02::1/128 dev core0 nodad
}

# --- certificates -------------------------------------------------------------------------------

bed_ca() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
		-subj "/CN=$1 authority" -keyout "$BED/$1.key" -out "$BED/$1.pem" 2>/dev/null
}

bed_cert() { # CA FILE NAME...: a certificate for these DNS names
	local ca=$1 file=$2 name alt=
	shift 2
	for name; do alt="$alt,DNS:$name"; done
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$BED/$file.key" -out "$BED/$file.csr" 2>/dev/null &&
		openssl x509 -req -in "$BED/$file.csr" -CA "$BED/$ca.pem" -CAkey "$BED/$ca.key" \
			-CAcreateserial -days 365 -out "$BED/$file.pem" \
			-extfile <(echo "subjectAltName=${alt#,}") 2>/dev/null
}

bed_certs() {
	bed_ca pair && bed_cert pair a a.pair.test && bed_cert pair b b.pair.test &&
		bed_ca web && bed_cert web server secure.example.test a.streams.example.test \
		b.streams.example.test
}

# --- chassis ------------------------------------------------------------------------------------

bed_config() { # CHASSIS: writes its configuration
	local me=$1 peer own other mode priority
	case $me in
	a) peer=b own=2 other=3 mode=primary priority=1 ;;
	b) peer=a own=3 other=2 mode=backup priority=2 ;;
	esac
	cat >"$BED/$me.cfg" <<-END
		configure
		$(bed_config_recovery)
		  system hostname chassis-$me
		  task facility sessmgr max $BED_SESSMGRS
		  logging stderr severity info
		  require active-charging
		  context gateway
		    interface acc0
		      side access
		      ip address 10.1.0.$own/24
		      ip address 10.1.0.1/32 srp-activate
		      ipv6 address fd01::$own/64
		      ipv6 address fd01::1/128 srp-activate
		    #exit
		    interface core0
		      side core
		      ip address 10.2.0.$own/24
		      ip address 10.2.0.1/32 srp-activate
		      ipv6 address fd02::$own/64
		      ipv6 address fd02::1/128 srp-activate
		    #exit
		    interface srp0
		      ip address 10.3.0.$own/24
		    #exit
		    ip pool loaded 10.45.0.0/16 srp-activate
		    ipv6 pool loaded6 2001:db8:45::/48 srp-activate
		    ip pool walkin 10.46.0.0/16 srp-activate first-packet apn internet
		    apn internet
		      active-charging rulebase $BED_RULEBASE
		    #exit
		    service-redundancy-protocol
		      chassis-mode $mode
		      priority $priority
		      hello-interval msec $BED_HELLO_MS
		      dead-interval msec $BED_DEAD_MS
		      checkpoint session duration 0
		      bind address 10.3.0.$own
		      peer-ip-address 10.3.0.$other
		      tls certificate $BED/$me.pem
		      tls key $BED/$me.key
		      tls ca $BED/pair.pem
		      tls peer-name $peer.pair.test
		      state-file $BED/$me.state
		    #exit
		  #exit
	END
	bed_config_charging >>"$BED/$me.cfg"
}

# Before any context: feature keys, and what they permit.
bed_config_recovery() {
	if [ "$BED_SR" != yes ]; then
		echo flow-recovery >"$BED/keys"
		echo "  license key-file \"$BED/keys\""
		return
	fi
	printf '# features of the bed\nsession-recovery\nflow-recovery\n' >"$BED/features"
	echo "  license key-file \"$BED/features\""
	echo "  require session recovery"
	echo "  session-recovery reserve sessions $BED_SR_SESSIONS flows $BED_SR_FLOWS"
}

bed_config_charging() {
	local name kind last n=0
	cat <<-END
		  active-charging service ecs
		    idle-timeout tcp 3600
		    idle-timeout udp 3600
		    idle-timeout icmp 3600
		    system-limit flow-chkpt-per-call 300
		    ruledef web
		      http host = www.example.test
		    #exit
		    ruledef files
		      http host = files.example.test
		    #exit
		    ruledef secure
		      tls sni = secure.example.test
		    #exit
		    ruledef stream-a
		      tls sni = a.streams.example.test
		    #exit
		    ruledef stream-b
		      tls sni = b.streams.example.test
		    #exit
		    group-of-ruledefs streams
		      add-ruledef priority 1 ruledef stream-a
		      add-ruledef priority 2 ruledef stream-b
		    #exit
		    ruledef names
		      dns query-name ends-with example.test
		    #exit
		    ruledef bulk
		      ip server-ip-address = $(bed_v4 60)/32
		      ip server-ip-address = $(bed_v6 60)/128
		      multi-line-or all-lines
		    #exit
		    ruledef probe
		      udp either-port = 7007
		    #exit
		    ruledef echo
		      icmp any-match = TRUE
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
	END
	for name in $(awk '{print $1}' <<<"$BED_RULES") any; do
		n=$((n + 1))
		printf '    charging-action %s\n      content-id %d\n    #exit\n' "$name" $((1000 + n))
	done
	echo "    rulebase $BED_RULEBASE"
	n=0
	while read -r name kind last; do
		[ -n "$name" ] || continue
		n=$((n + 10))
		case $name in
		streams) echo "      action priority $n group-of-ruledefs $name charging-action $name" ;;
		*) echo "      action priority $n ruledef $name charging-action $name" ;;
		esac
	done <<<"$BED_RULES"
	echo "      action priority 65000 ruledef any charging-action any"
	# Set-up packets go by the L3/L4 rule, all others by the application's: else each acknowledgement
	# without payload would take back the checkpoint of its flow.
	echo "      flow control-handshaking charge-to-application mid-session-packets tear-down-packets"
	echo "    #exit"
	cat <<-END
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-condition all-rules
	END
	for name in $(awk '{print $1}' <<<"$BED_RULES") any; do
		echo "      rule-name = $name"
	done
	cat <<-END
		    #exit
		    service-scheme scheme
		      trigger flow-create
		        priority 1 trigger-condition all-rules trigger-action recover
		      #exit
		    #exit
		    subs-class everybody
		      rulebase = $BED_RULEBASE
		    #exit
		    subscriber-base default
		      priority 1 subs-class everybody bind service-scheme scheme
		    #exit
		  #exit
		end
	END
}

bed_chassis_start() { # CHASSIS: starts in the background; its log is $BED/CHASSIS.log
	local c=$1
	rm -f "$BED/$c.sock"
	ip netns exec "$BED_PREFIX$c" "$BED_CHASSISD" -f -c "$BED/$c.cfg" -s "$BED/$c.sock" \
		</dev/null >>"$BED/$c.log" 2>&1 &
	echo $! >"$BED/$c.pid"
	disown
}

bed_ctl() { # CHASSIS COMMAND
	"$BED_CHASSISCTL" -s "$BED/$1.sock" -c "$2"
}

# Every process of a tree, the root first.
bed_tree() { # PID
	local pid=$1 child
	[ -d "/proc/$pid" ] || return 0
	echo "$pid"
	for child in $(cat "/proc/$pid"/task/*/children 2>/dev/null); do
		bed_tree "$child"
	done
}

bed_chassis_pids() { # CHASSIS
	[ ! -s "$BED/$1.pid" ] || bed_tree "$(cat "$BED/$1.pid")"
}

bed_chassis_kill() { # CHASSIS: kill -9 of every process, in one call
	local pids
	pids=$(bed_chassis_pids "$1")
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -9 $pids
	rm -f "$BED/$1.pid"
}

bed_gone() { # PID...: all have ended
	local pid
	for pid; do
		[ ! -d "/proc/$pid" ] || [ "$(awk '{print $3}' "/proc/$pid/stat" 2>/dev/null)" = Z ] || return
	done
}

bed_wait_gone() { # MILLISECONDS PID...: true when all have ended by then
	local seconds=$((($1 + 999) / 1000))
	shift
	bed_until "$seconds" 0.02 bed_gone "$@"
}

bed_chassis_stop() { # CHASSIS: SIGTERM, and SIGKILL when it does not end
	local pids
	pids=$(bed_chassis_pids "$1")
	[ -n "$pids" ] || return 0
	kill "$(cat "$BED/$1.pid")" 2>/dev/null
	# shellcheck disable=SC2086
	bed_wait_gone 10000 $pids || bed_chassis_kill "$1"
	rm -f "$BED/$1.pid"
}

bed_rest() { sleep "$1"; } # SECONDS: between two looks at what gives no sign of itself

bed_until() { # SECONDS EVERY COMMAND...: until it succeeds
	local end=$((SECONDS + $1)) every=$2
	shift 2
	until "$@" 2>/dev/null; do
		[ $SECONDS -le $end ] || return 1
		bed_rest "$every"
	done
}

bed_wait() { # SECONDS COMMAND...
	local seconds=$1
	shift
	bed_until "$seconds" 0.05 "$@" >/dev/null
}

bed_answers() { bed_ctl "$1" 'show srp info' >/dev/null 2>&1; }

# Subscribers as `session load` reads them.
bed_subscribers() {
	local i
	for ((i = 1; i <= BED_SUBSCRIBERS; i++)); do
		printf '00101%010d,user%d,internet,%s,%s,\n' "$i" "$i" "$(bed_sub_v4 "$i")" "$(bed_sub_v6 "$i")"
	done >"$BED/subscribers.csv"
}

# --- servers ------------------------------------------------------------------------------------

BED_LONG_RATE=${BED_LONG_RATE:-100} # kB/s of a long download
BED_LONG_SECONDS=${BED_LONG_SECONDS:-75}

bed_files() {
	mkdir -p "$BED/www" &&
		head -c 20000 /dev/urandom >"$BED/www/page" &&
		head -c $((BED_LONG_RATE * BED_LONG_SECONDS * 1000)) /dev/urandom >"$BED/www/long"
}

bed_nginx_listen() { # LAST OPTIONS: an address of each family
	echo "listen $(bed_v4 "$1"):$2; listen [$(bed_v6 "$1")]:$2;"
}

bed_nginx_config() {
	cat >"$BED/nginx.conf" <<-END
		user root;
		worker_processes 1;
		daemon off;
		pid $BED/nginx.pid;
		error_log $BED/nginx-error.log warn;
		events { worker_connections 2048; }
		http {
		  access_log off;
		  client_body_temp_path $BED/nginx-body; proxy_temp_path $BED/nginx-proxy;
		  fastcgi_temp_path $BED/nginx-fcgi; uwsgi_temp_path $BED/nginx-uwsgi;
		  scgi_temp_path $BED/nginx-scgi;
		  root $BED/www;
		  ssl_certificate $BED/server.pem; ssl_certificate_key $BED/server.key;
		  sendfile on; tcp_nopush on;
		  server { $(bed_nginx_listen 10 80) server_name www.example.test; }
		  server { $(bed_nginx_listen 20 80) server_name files.example.test;
		    limit_rate ${BED_LONG_RATE}k; }
		  server { $(bed_nginx_listen 30 "443 ssl") server_name secure.example.test; }
		  server { $(bed_nginx_listen 40 "443 ssl")
		    server_name a.streams.example.test b.streams.example.test;
		    limit_rate ${BED_LONG_RATE}k; }
		}
	END
}

bed_spawn() { # NAME NAMESPACE COMMAND...: in the background
	local name=$1 ns=$2
	shift 2
	ip netns exec "$BED_PREFIX$ns" "$@" </dev/null >>"$BED/$name.out" 2>&1 &
	disown
}

bed_servers_up() {
	bed_files && bed_nginx_config || return
	bed_spawn nginx srv nginx -c "$BED/nginx.conf" -e "$BED/nginx-error.log"
	bed_spawn dnsmasq srv dnsmasq -k -C /dev/null --no-resolv --no-hosts --bind-interfaces \
		--listen-address="$(bed_v4 50)" --listen-address="$(bed_v6 50)" \
		--address=/example.test/192.0.2.1 --pid-file="$BED/dnsmasq.pid" --user=root
	bed_spawn iperf-v4 srv iperf3 -s -B "$(bed_v4 60)" -p 5201
	bed_spawn iperf-v6 srv iperf3 -s -B "$(bed_v6 60)" -p 5202
	bed_wait 10 bed_servers_ready
}

bed_servers_ready() {
	local port
	for port in :80 :443 :5201 :5202; do
		bed_in srv ss -Hltn | grep -q -- "$port " || return
	done
	bed_in srv ss -Hlun | grep -q ':53 '
}

# --- the end ------------------------------------------------------------------------------------

bed_down() {
	local c pid ns
	[ -n "${BED:-}" ] && [ -e "$BED/prefix" ] || return 0
	for c in a b; do bed_chassis_stop $c; done
	# What still runs in the namespaces is ours: they were made by this bed.
	for ns in ue acc a b core srv; do
		pid=$(ip netns pids "$BED_PREFIX$ns" 2>/dev/null)
		# shellcheck disable=SC2086
		[ -z "$pid" ] || { kill -CONT $pid; kill -9 $pid; } 2>/dev/null
	done
	for ns in ue acc a b core srv; do
		ip netns del "$BED_PREFIX$ns" 2>/dev/null
	done
	return 0
}

bed_remove() { # the directory too
	bed_down
	[ -z "${BED:-}" ] || rm -rf "$BED"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	bed_use "$1" && shift && "$@"
fi
