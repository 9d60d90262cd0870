#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# check_format.sh page... -- man has nothing to say against the pages
#
# Exit status 77 where there is no man-db or groff to ask.

case $(man --version 2>/dev/null) in
"man "[0-9]*) ;;
*)
	echo "skipped: man-db is not installed"
	exit 77
	;;
esac
if ! groff -v >/dev/null 2>&1; then
	echo "skipped: groff is not installed"
	exit 77
fi

failed=0
for page; do
	# A page that leads to another has nothing of its own.
	grep -q '^\.so ' "$page" && continue
	warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
		man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
	status=$?
	if [ "$status" -ne 0 ] || [ -n "$warnings" ]; then
		echo "$page: man ends with $status: $warnings"
		failed=1
	fi
done
exit "$failed"
