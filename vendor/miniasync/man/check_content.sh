#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# check_content.sh project -- the pages are complete
#
# Every public function and macro has a page of section 3, every page has the
# same sections in the same order, its NAME names the pages that lead to it, and
# what it refers to is there.

cd "$1" || exit 1
failed=0

complain() {
	echo "$*"
	failed=1
}

# Public: what is exported, and the functions and macros of the headers, apart
# from those whose name ends with an underscore.
public_names() {
	sed -n 's/^[[:blank:]]*\([a-z_0-9]*\);$/\1/p' src/libminiasync.map \
		src/dml/libminiasync-vdm-dml.map
	cat include/*.h include/*/*.h |
		sed -n -e 's/^\([a-z_0-9]*\)(.*/\1/p' \
			-e 's/^#define \([A-Z_0-9]*\)(.*/\1/p'
}

names=$(public_names | grep -v '_$' | sort -u)
[ -n "$names" ] || complain "no public names found"
for name in $names; do
	[ -f "man/man3/$name.3" ] || complain "$name has no page"
done

skeleton="NAME SYNOPSIS DESCRIPTION RETURN_VALUE ERRORS EXAMPLE SEE_ALSO"

# The names before the \- of a page's NAME section.
page_names() {
	sed -n '/^\.SH NAME$/,/^\.SH SYNOPSIS$/{
		/^\.SH/d
		p
	}' "$1" | tr '\n' ' ' | sed -e 's/ *\\-.*//' -e 's/,//g'
}

# check_page page section name... -- one that is no link, and what NAME names
check_page() {
	page=$1
	section=$2
	shift 2

	sections=$(sed -n 's/^\.SH //p' "$page" | tr ' ' '_' |
		grep -v -x -e ENVIRONMENT -e COMPATIBILITY | tr '\n' ' ')
	[ "$sections" = "$skeleton " ] ||
		complain "$page: its sections are $sections"
	[ "$page" = "man/man$section/$1.$section" ] ||
		complain "$page: is not called like its first name"
	for name; do
		[ -f "man/man$section/$name.$section" ] ||
			complain "$page: names $name, which has no page"
	done
	# Others' pages are those that do not begin like ours.
	for other in $(
		sed -n 's/^\.BR \([A-Za-z_0-9]*\) (\([37]\)).*/\1.\2/p' "$page"
	); do
		case $other in
		FUTURE* | data_mover_* | future_* | miniasync* | runtime_* | \
			vdm_*)
			[ -f "man/man${other##*.}/$other" ] ||
				complain "$page: refers to $other"
			;;
		esac
	done
}

for page in man/man[37]/*.[37]; do
	section=${page##*.}
	target=
	read -r request target <"$page"
	if [ "$request" != .so ]; then
		# Words: shellcheck disable=SC2046
		check_page "$page" "$section" $(page_names "$page")
	elif [ ! -f "man/$target" ]; then
		complain "$page: leads to $target, which is not there"
	else
		name=${page##*/}
		case " $(page_names "man/$target") " in
		*" ${name%.*} "*) ;;
		*) complain "$page: is not named by $target" ;;
		esac
	fi
done
exit "$failed"
