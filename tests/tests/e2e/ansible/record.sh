#!/bin/sh
# Records the expected.txt of each case, or of those given, with ansible-playbook. Requires ansible-core 2.18.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- */
for case; do
  case=${case%/}
  place=$(mktemp -d)
  code=0
  options=; [ ! -e "$case/options" ] || options=$(cat "$case/options")
  # shellcheck disable=SC2086 # several words
  PLACE=$place ANSIBLE_NOCOLOR=1 ANSIBLE_RETRY_FILES_ENABLED=0 ANSIBLE_DEPRECATION_WARNINGS=0 COLUMNS=80 \
    ansible-playbook -i hosts $options "$case/site.yml" >"$place.out" 2>"$place.err" </dev/null || code=$?
  { cat "$place.out"; echo "--- exit code $code"; } | sed "s|$place|[place]|g; s|$PWD|[cases]|g" >"$case/expected.txt"
  rm -rf "$place" "$place.out"; [ -s "$place.err" ] && { echo "== $case"; cat "$place.err"; }; rm -f "$place.err"
done
