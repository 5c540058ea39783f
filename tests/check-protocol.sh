#!/bin/sh
# PROTOCOL.md and the tables say the same: frames with ids, limits, states and an example, codes,
# reasons of a switch.
set -u
: "${top_srcdir:=.}"
bad=0
doc=$top_srcdir/srp/PROTOCOL.md

complain() { echo "PROTOCOL.md: $*"; bad=1; }

# control connection: | 0x10 | SWITCH_PREPARE | 6 to 64 | S R | ...
n=0
while IFS=, read -r name id min max states _; do
	states=$(echo "$states" | sed -e 's/AT(\(.\)[A-Z]*)/\1/g' -e 's/|//g' -e 's/  */ /g' -e 's/^ //' -e 's/ $//')
	row="| $id | $name | $min to $max | $states |"
	grep -Fq "$row" "$doc" || complain "no line: $row"
	grep -Fq "53 52 01 ${id#0x} " "$doc" || complain "no example of $name"
	n=$((n + 1))
done <<END
$(sed -n 's/^SRP_CONTROL(\(.*\)/\1/p' "$top_srcdir/srp/control.def" | sed 's/, */,/g')
END
[ "$n" -ge 10 ] || complain "control.def was not understood"

# instance connection: | 1 | HELLO | ..., and a paragraph: the name outside of that table
n=0
while IFS=, read -r name type _; do
	grep -Eq "^\\| $type \\| $name \\|" "$doc" || complain "no line: | $type | $name |"
	sed -n '/^## 14/,/^## 15/p' "$doc" | grep -v '^|' | grep -qw "$name" || complain "no paragraph on $name"
	n=$((n + 1))
done <<END
$(sed -n 's/^RECOVERY_FRAME(\(.*\)/\1/p' "$top_srcdir/recovery/frame.def" | sed 's/, */,/g')
END
[ "$n" -ge 13 ] || complain "frame.def was not understood"
# nothing is described that is not there
while read -r type name; do
	grep -Eq "^RECOVERY_FRAME\\($name, *$type," "$top_srcdir/recovery/frame.def" ||
		complain "there is no frame $type $name"
done <<END
$(sed -n '/^## 14/,/^## 15/s/^| \([0-9][0-9]*\) | \([A-Z]*\) |.*/\1 \2/p' "$doc")
END

# codes: "(1 invalid argument, 4 message ..., ...)" are positions of err.def
codes=$(sed -n '/^## 13/,/^## 14/p' "$doc" | tr '\n' ' ')
errs=$(sed -n 's/^SRP_ERR([A-Z]*, *"\(.*\)")/\1/p' "$top_srcdir/srp/err.def")
n=0
while read -r num text; do
	[ "$num" = ... ] && continue
	[ "$(echo "$errs" | sed -n "${num}p")" = "$text" ] || complain "code $num is not: $text"
	n=$((n + 1))
done <<END
$(echo "$codes" | sed 's/[^(]*(\([^)]*\)).*/\1/' | tr ',' '\n')
END
[ "$n" -ge 8 ] || complain "the codes were not understood"

# reasons of a switch
n=0
while IFS=, read -r num name; do
	echo "$codes" | grep -Eq "[ :]$num $name[,;.]" || complain "no reason $num $name"
	n=$((n + 1))
done <<END
$(sed -n '/define SRP_SWITCH_REASONS/,/[^\\]$/s/.*X(\([0-9]*\), *[A-Z_]*, *"\([^"]*\)").*/\1,\2/p' \
	"$top_srcdir/srp/role_machine.h")
END
[ "$n" -ge 20 ] || complain "role_machine.h was not understood"
grep -q '^## 15. Threat model' "$doc" || complain "no threat model"
exit $bad
