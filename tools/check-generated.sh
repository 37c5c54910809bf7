#!/usr/bin/env bash
# Writes the generated files anew and names those that were not in step with their source. It compares the
# files before and after, not with the last commit, so that it tells the truth in a changed tree as well.
set -euo pipefail
cd "$(dirname "$0")/.."

# Every file that is or could be committed; one that was deleted has no sum.
sums() {
	git ls-files -z --cached --others --exclude-standard | sort -zu | xargs -0r sha256sum 2>/dev/null || true
}

before=$(sums)
make --no-print-directory generate
after=$(sums)

changed=$(comm -13 <(sort <<<"$before") <(sort <<<"$after") | sed 's/^[0-9a-f]*  /  /')
if [[ -n $changed ]]; then
	printf 'These generated files were not in step; they are now, so commit them:\n%s\n' "$changed"
	exit 1
fi
