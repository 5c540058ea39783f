#!/bin/sh
# The manual says what the tables say: every command, counter, column and frame is in its page, the
# examples load, and the pages are those that the program prints now.
set -u
: "${top_srcdir:=.}"
bad=0
pages=chassis/man
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

complain() { echo "$*"; bad=1; }

# Patterns that several rows share are strings of headers: commands of sed that put them into the rows.
for name in ECS_CF_PATTERN ECS_LIMIT_PATTERN CHASSIS_CLI_REST; do
	text=$(cat "$top_srcdir"/ecs/rule/*.h "$top_srcdir/chassis/cli/refused.def" | sed -n "/^#define $name /,/[^\\\\]\$/p" |
		sed -n 's/^[^"]*"\(.*\)"[^"]*$/\1/p' | tr -d '\n')
	[ -n "$text" ] || complain "there is no $name"
	printf 's#" *%s,#%s",#\n' "$name" "$text"
done >"$tmp/shared"

# The n-th string of each row of a table: rows MACRO FILE
rows() { sed -f "$tmp/shared" "$top_srcdir/$2" | sed -n "s/^$1([^\"]*\"\\([^\"]*\\)\".*/\\1/p"; }
# The names of the rows of a table, where they are no strings.
names() { sed -n "s/^$1(\\([A-Za-z0-9_]*\\),.*/\\1/p" "$top_srcdir/$2"; }

# The same of a table of the service: rows_of FILE MACRO
rows_of() { rows "$2" "ecs/rule/$1"; }

# Patterns of the grammar, and heads of entries, in one form: words, brackets and `...`.
from_pattern() {
	sed -e 's/<\([a-z][a-z0-9]*\)[^>]*>/\1/g' -e 's/\]\*/] .../g' -e 's/}+/} .../g' \
		-e 's/[][{}|]/ & /g' -e 's/  */ /g' -e 's/^ //' -e 's/ $//'
}
from_head() {
	sed -n 's/^\.It \(\(Ic\|Oo\|Bro\) .*\)/\1/p' "$1" | awk '{
		out = ""
		for (i = 1; i <= NF; i++) {
			w = $i
			sub(/^\\&/, "", w)
			if (w ~ /^(Ic|Ar|Ns|No)$/)
				continue
			w = w == "Oo" ? "[" : w == "Oc" ? "]" : w == "Bro" ? "{" : w == "Brc" ? "}" : w
			out = out (out == "" ? "" : " ") w
		}
		print out
	}'
}

# in_list WHAT FILE: each line of the input is a line of FILE
in_list() {
	grep -Fxv -f "$2" >"$tmp/missing" || return 0
	complain "$1 lacks:"
	cat "$tmp/missing"
}

# commands
from_head $pages/chassisd.conf.5 >"$tmp/heads"
{
	rows CHASSIS_CLI_CONFIG chassis/cli/config.def
	rows CHASSIS_CLI_REFUSED chassis/cli/refused.def
} | from_pattern >"$tmp/rows"
in_list chassisd.conf.5 "$tmp/heads" <"$tmp/rows"
rows ECS_FIELD ecs/rule/field.def >"$tmp/fields"
while read -r words; do
	grep -Fq "[ no ] $words " "$tmp/heads" || complain "chassisd.conf.5 lacks the field: $words"
done <"$tmp/fields"
# rows that tables of the service make: their words, and how many of them each makes
while read -r table row form; do
	rows_of "$table" "$row" | while read -r words; do
		for k in $(seq "$form"); do echo "$words"; done
	done
done >"$tmp/made" <<-'END'
	action.def ECS_ACTION_NUM 2
	action.def ECS_ACTION_NAME 2
	action.def ECS_ACTION_OWN 2
	action.def ECS_ACTION_FLAG 1
	rulebase.def ECS_BASE_NUM 2
	rulebase.def ECS_BASE_OWN 2
	rulebase.def ECS_BASE_FLAG 1
	filter.def ECS_FILTER 2
	limit.def ECS_POLICY 2
	recover.def ECS_RECOVER 1
	limit.def ECS_QOS_GROUP 2
	record.def ECS_ATTRIBUTE 4
	record.def ECS_VARIABLE 4
	trigger.def ECS_TRIGACT_NAME 2
	trigger.def ECS_TRIGACT_OWN 2
	trigger.def ECS_TRIGACT_FLAG 1
	trigger.def ECS_TRIGCOND_OWN 2
	trigger.def ECS_TRIGCOND_FLAG 1
END
sort -u "$tmp/made" | while read -r words; do
	grep -Fq "$words" "$tmp/heads" || echo "$words"
done >"$tmp/missing"
[ -s "$tmp/missing" ] && complain "chassisd.conf.5 lacks: $(cat "$tmp/missing")"
# eleven more rows of each mode of records: what both have, and their files
n=$(($(cat "$tmp/rows" "$tmp/fields" "$tmp/made" | wc -l) + 22))
[ "$n" -gt 100 ] && [ "$(wc -l <"$tmp/heads")" -eq "$n" ] ||
	complain "chassisd.conf.5 has not as many commands as the tables: $n"
for w in priority port hello-interval dead-interval 'audit periodicity' 'system-limit flow-chkpt-per-call'; do
	grep -q "^\\.Ic $w [0-9]* \\.\$" $pages/chassisd.conf.5 || complain "no default of $w"
done
from_head $pages/chassisctl.8 | sort >"$tmp/heads"
rows CHASSIS_CLI_EXEC chassis/cli/exec.def | from_pattern | sort >"$tmp/rows"
[ -s "$tmp/rows" ] && diff "$tmp/rows" "$tmp/heads" || complain "chassisctl.8 differs from exec.def"

# variables of bulk statistics
sed -n 's/^\.It Va \([a-z0-9-]*\).*/\1/p' $pages/chassisd.conf.5 >"$tmp/variables"
for t in ECS_KPI:ecs/kpi.def CHASSIS_BULK:chassis/cli/bulk.def; do
	sed -n "s/^${t%:*}(.*\"\([a-z][a-z0-9-]*\)\", *[A-Z\"].*/\1/p" "$top_srcdir/${t#*:}" >"$tmp/rows"
	[ -s "$tmp/rows" ] || complain "no rows in ${t#*:}"
	in_list chassisd.conf.5 "$tmp/variables" <"$tmp/rows"
done

# counters, gates, columns
sed -n 's/^\.It Va \([a-z0-9_]*\) Pq .*/\1/p' $pages/chassis-counters.7 >"$tmp/counters"
for t in ECS_COUNTER:ecs/counters.def TASK_COUNTER:chassis/task/counters.def \
	SRP_COUNTER:srp/counters.def KIND_COUNTER:recovery/kind_counters.def \
	RECOVERY_COUNTER:recovery/counters.def; do
	names "${t%:*}" "${t#*:}" >"$tmp/rows"
	[ -s "$tmp/rows" ] || complain "no rows in ${t#*:}"
	in_list chassis-counters.7 "$tmp/counters" <"$tmp/rows"
done
sed -n 's/^\.It Va //p' $pages/chassis-counters.7 | grep -v ' Pq ' | tr ' ' '\n' >"$tmp/columns"
grep -o 'X([a-z0-9_]*, [usb])' "$top_srcdir/chassis/task/rows.h" |
	sed 's/X(\(.*\),.*/\1/' | sort -u >"$tmp/rows"
[ -s "$tmp/rows" ] || complain "no columns in rows.h"
in_list chassis-counters.7 "$tmp/columns" <"$tmp/rows"
sed -n 's/^\.It Va //p' $pages/chassisctl.8 >"$tmp/columns"
sed -n 's/^.*X(\([a-z0-9_]*\), [usb], ".*/\1/p' "$top_srcdir/chassis/task/rows.h" >"$tmp/rows"
[ -s "$tmp/rows" ] || complain "no columns of the packet trace in rows.h"
in_list chassisctl.8 "$tmp/columns" <"$tmp/rows"
sed -n 's/^\.It Li //p' $pages/chassisctl.8 >"$tmp/fates"
for m in FATE BY; do
	rows "ECS_TRACE_$m" ecs/trace.def | sed '/^$/d' >"$tmp/rows"
	[ -s "$tmp/rows" ] || complain "no rows of ECS_TRACE_$m in trace.def"
	in_list chassisctl.8 "$tmp/fates" <"$tmp/rows"
done
sed -n '/define SRP_GATES/,/[^\\]$/s/.*X([A-Z_]*, *"\([^"]*\)").*/.It \1/p' "$top_srcdir/srp/ckpt.h" \
	>"$tmp/rows"
[ -s "$tmp/rows" ] || complain "no gates in ckpt.h"
in_list chassis-counters.7 $pages/chassis-counters.7 <"$tmp/rows"
# the equations name counters of a kind, and all gates
sed -n '/^\.Ss Equations/,/^\.Ed/p' $pages/chassis-counters.7 | sed '1,/^\.Bd/d;/^\.Ed/d' |
	grep -o '[a-z][a-z_]*' | sort -u >"$tmp/terms"
names KIND_COUNTER recovery/kind_counters.def >"$tmp/rows"
in_list "recovery/kind_counters.def" "$tmp/rows" <"$tmp/terms"
grep '^gate_' "$tmp/rows" | in_list "the equation of changes" "$tmp/terms"

# frames
sed -n 's/^\.It \(Sy \)\{0,1\}\([A-Z_]*\) \(Pq\|Ta\) .*/\2/p' $pages/chassisd.8 >"$tmp/frames"
for t in SRP_CONTROL:srp/control.def RECOVERY_FRAME:recovery/frame.def CHASSIS_IPC:chassis/task/ipc.def; do
	names "${t%:*}" "${t#*:}" | in_list chassisd.8 "$tmp/frames"
done

# the pages are those that the program prints, and what it does not know it refuses
for page in $pages/*.[1-8]; do
	chassis/manual "$top_srcdir" "$top_srcdir/${page%.*}.in" | cmp - "$page" || complain "$page is old"
done
echo @NOTHING@ >"$tmp/page.in"
chassis/manual "$top_srcdir" "$tmp/page.in" >/dev/null 2>&1 && complain "an unknown table is not refused"

# the examples load
sed -e 's/\\&//g' -e 's/\\e/\\/g' $pages/chassisd.conf.5 | awk -v dir="$tmp" '
	/^\.Bd -literal/ { n++; on = 1; next }
	/^\.Ed/ { on = 0 }
	on { print > (dir "/example." n) }'
keys=$(cd "$top_srcdir" && pwd)/examples/features
set -- "$tmp"/example.*
[ $# -eq 4 ] || complain "chassisd.conf.5 has not four examples: $#"
for f; do
	# the keys that they name lie beside them here, and who names none has them all the same
	sed "s|/etc/chassisd/features|\"$keys\"|" "$f" >"$tmp/loads"
	grep -q 'license key-file' "$f" ||
		sed "s|^configure$|&\nlicense key-file \"$keys\"|" "$f" >"$tmp/loads"
	./chassisd -t -c "$tmp/loads" || complain "an example does not load"
done

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning $pages/*.[1-8] || complain "mandoc warns"
else
	echo "mandoc is not here: the pages were not linted"
fi
exit $bad
