# shellcheck shell=bash
# records: a bed whose chassis write records into files, for tests with lib/records.py. To be sourced behind
# traffic.sh. What is rendered in formats e1 and u1 is what records.py reads.

# What the bed says, and in its context the files.
eval "$(declare -f bed_config | sed '1s/bed_config/bed_config_plain/')"
bed_config() {
	bed_config_plain "$1" || return
	mkdir -p "$BED/$1.rec" || return
	awk -v dir="$BED/$1.rec" '{ print } /^ *context gateway/ {
		printf "    edr-module active-charging-service\n      file directory %s\n", dir
		printf "      file rotation time 1\n      file name cdr\n    #exit\n"
		printf "    udr-module active-charging-service\n      file directory %s\n", dir
		printf "      file rotation time 1\n      file name cdr\n    #exit\n" }' \
		"$BED/$1.cfg" >"$BED/$1.cfg.new" && mv "$BED/$1.cfg.new" "$BED/$1.cfg"
}


records_formats() { # lines of the active-charging service
	local n=0 a format
	for format in edr-format\ e1 udr-format\ u1; do
		echo "    $format"
		for a in sn-flow-id sn-direction sn-closure-reason sn-ruledef-name sn-content-id sn-rating-group \
			'sn-volume-amt ip bytes uplink' 'sn-volume-amt ip bytes downlink' \
			'sn-volume-amt ip pkts uplink' 'sn-volume-amt ip pkts downlink' sn-sequence-no; do
			n=$((n + 1))
			echo "      attribute $a priority $n"
		done
		printf '      rule-variable ip subscriber-ip-address priority 90\n    #exit\n'
	done
}
