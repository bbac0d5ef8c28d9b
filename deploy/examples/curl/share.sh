#!/bin/sh
# Issues a link for one object and prints its URL.
#
#   share.sh BUCKET KEY
#
# The key of the operator goes to curl through a file descriptor: other users of the
# machine can read the arguments of a process.
set -eu

[ $# -eq 2 ] || { echo "usage: share.sh BUCKET KEY" >&2; exit 2; }
: "${KEYHOLE_KEY:?set KEYHOLE_KEY to an operator key}"
address=${KEYHOLE_OPERATOR_URL:-http://127.0.0.1:8081}

# Prints a text as a JSON string. The object key is the only text from outside.
json() {
  printf '"%s"' "$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

body="{\"bucket\":$(json "$1"),\"key\":$(json "$2"),\"expires_in\":\"2h\"}"

# --retry repeats the request after 429, 5xx and lost connections. With the same
# Idempotency-Key a repeat returns the same link.
answer=$(printf 'header = "Authorization: Bearer %s"\n' "$KEYHOLE_KEY" |
  curl --silent --show-error --fail-with-body --config - \
    --retry 5 --retry-connrefused --max-time 90 \
    --header 'Content-Type: application/json' \
    --header "Idempotency-Key: share-$$-$(date +%s)" \
    --data "$body" "$address/api/v1/links") || {
  printf '%s\n' "$answer" >&2
  exit 1
}
printf '%s\n' "$answer" | sed -n 's/.*"url":"\([^"]*\)".*/\1/p'
