#!/usr/bin/env bash
# Installs with apt what the tests need and the machine lacks: PostgreSQL and Chromium, which the tests start
# themselves, and a C compiler with its headers, for the race detector.
set -euo pipefail

missing=()
if ! { command -v initdb && command -v postgres; } >/dev/null &&
	! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
	missing+=(postgresql)
fi
if ! command -v chromium >/dev/null; then
	missing+=(chromium)
fi
if ! command -v gcc >/dev/null; then
	missing+=(gcc)
fi
if [[ $(uname) == Linux && ! -e /usr/include/stdlib.h ]]; then
	missing+=(libc6-dev)
fi
if [[ ${#missing[@]} -eq 0 ]]; then
	exit 0
fi

echo "The tests need: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
	echo "There is no apt-get here: install them by hand, then run make test again." >&2
	exit 1
fi
root=()
if [[ $(id -u) -ne 0 ]]; then
	if ! command -v sudo >/dev/null; then
		echo "Ask an administrator for: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	root=(sudo)
fi
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
