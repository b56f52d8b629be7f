# SPDX-License-Identifier: BSD-3-Clause
# What the check-* scripts share: C source without comments (and, for hotpath, without strings), and
# table rows. Functions only; the script that reads this in has the rules.

# The line with comments, and with is_code string contents too, made blank. in_comment carries a
# block comment over lines; the caller sets it to 0 at the start of a file.
function bare(line, is_code,    out, i, c, two, quote) {
	out = ""
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		two = substr(line, i, 2)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				i++
			}
			out = out " "
		} else if (quote != "") {
			if (c == "\\") {
				if (!is_code)
					out = out substr(line, i, 2)
				i++
			} else if (c == quote) {
				quote = ""
				out = out c
			} else if (!is_code)
				out = out c
		} else if (two == "//") {
			return out
		} else if (two == "/*") {
			in_comment = 1
			i++
			out = out " "
		} else {
			if (c == "\"" || c == "'")
				quote = c
			out = out c
		}
	}
	return out
}

function trim(s) {
	sub(/^[ \t]+/, "", s)
	sub(/[ \t]+$/, "", s)
	return s
}

# Does s match the pattern, in which * stands for anything?
function is_like(s, pattern) {
	gsub(/[.+?()|^$\\{}\[\]]/, "\\\\&", pattern)
	gsub(/\*/, ".*", pattern)
	return s ~ ("^(" pattern ")$")
}

# Is s like one of the blank-separated patterns?
function is_listed(s, list,    n, i, p) {
	n = split(list, p, " ")
	for (i = 1; i <= n; i++)
		if (is_like(s, p[i]))
			return 1
	return 0
}

# Name of the function whose definition begins on this bare line; "" when none does. House style
# puts the whole head up to the name on one line that starts in column one.
function defined_here(line,    head) {
	if (line !~ /^[A-Za-z_\[]/ || line ~ /^(typedef|extern|struct [a-z_0-9]+ \{|enum|#)/)
		return ""
	gsub(/__attribute__ *\(\([^)]*(\([^)]*\))*[^)]*\)\)/, "", line)
	if (line !~ /\(/ || line ~ /=/)
		return ""
	head = line
	sub(/\(.*/, "", head)
	if (head !~ /[ *][A-Za-z_0-9]+$/)
		return ""
	sub(/.*[ *]/, "", head)
	return head
}
