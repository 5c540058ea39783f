#!/bin/sh
# The table of requirements is whole: each number once, from 1 to the last of its series, and each has a
# test that exists and carries the number. Where a row names a file of the source, it exists.
set -u
: "${top_srcdir:=.}"
table=$top_srcdir/chassis/requirements.def
bad=0

# The series, the number of their last statement, and its digits; and those that are whole.
series="SR 56 2
FR 185 3"
whole="SR FR"

complain() { echo "requirements.def: $*"; bad=1; }

tmp=$(mktemp) || exit 99
trap 'rm -f "$tmp"' EXIT
# series|number|where|test
sed -n 's/^REQUIREMENT(\([A-Z]*\), *\([0-9]*\), *"[^"]*[^" ][^"]*", *"\([^"]*\)", *"\([^"]*\)")$/\1|\2|\3|\4/p' \
	"$table" >"$tmp"
[ "$(wc -l <"$tmp")" -eq "$(grep -c '^REQUIREMENT(' "$table")" ] || complain "a row was not understood"

echo "$series" | while read -r name last digits; do
	case " $whole " in *" $name "*) ;; *) continue ;; esac
	n=1
	while [ "$n" -le "$last" ]; do
		echo "$name|$n|"
		n=$((n + 1))
	done
done | while read -r want; do
	[ "$(grep -c "^$want" "$tmp")" -eq 1 ] || echo "$want"
done >"$tmp.missing"
while IFS='|' read -r name n _; do
	complain "$name-$n does not stand there once"
done <"$tmp.missing"
rm -f "$tmp.missing"

cut -d'|' -f1,2 "$tmp" | sort | uniq -d >"$tmp.twice"
while IFS='|' read -r name n; do
	complain "$name-$n stands there twice"
done <"$tmp.twice"
rm -f "$tmp.twice"

while IFS='|' read -r name n where test; do
	read -r last digits <<-END
		$(echo "$series" | sed -n "s/^$name //p")
	END
	id=$(printf "%s-%0${digits:-2}d" "$name" "$n")
	[ -n "$last" ] && [ "$n" -ge 1 ] && [ "$n" -le "$last" ] || complain "$id is of no series"
	if [ ! -f "$top_srcdir/$test" ]; then
		complain "$id: there is no test $test"
	elif ! grep -qw "$id" "$top_srcdir/$test"; then
		complain "$id: $test does not name it"
	fi
	for f in $(echo "$where" | tr ',' ' '); do
		case $f in
		*/*) [ -f "$top_srcdir/$f" ] || complain "$id: there is no file $f" ;;
		*\([1-8]\)) [ -f "$top_srcdir/chassis/man/${f%\(*}.in" ] || complain "$id: there is no page $f" ;;
		*) complain "$id: what is $f?" ;;
		esac
	done
done <"$tmp"
exit $bad
