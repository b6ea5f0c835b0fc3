#!/bin/sh
# Submits a dataset to `ferry serve` with curl, waits for the outcome, and prints the results or the
# feedback: submit.sh FILE [NAME]. FERRY_URL says where the server is, FERRY_KEY is an API key, if one
# is needed. Ends with 0 if it was completed, 2 without FILE, 3 if it is invalid, 4 if the Platform
# rejected it, and 1 otherwise.
set -eu

case $# in 1 | 2) ;; *) echo "usage: submit.sh FILE [NAME]" >&2; exit 2 ;; esac
[ -r "$1" ] || { echo "cannot read $1" >&2; exit 1; }
file=$1
name=${2:-$(basename "$file" .csv)}
url=${FERRY_URL:-http://127.0.0.1:8600}
# Sent again after a lost response, the same key doubles nothing. The same content under the same name
# is the same submission here; a producer with an id of its own takes that.
key="$name-$(cksum < "$file" | tr ' ' '-')"

call() {
    if [ -n "${FERRY_KEY:-}" ]; then
        set -- -H "Authorization: Bearer $FERRY_KEY" "$@"
    fi
    curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused "$@"
}

# The value of a text of a response: enough for ids and states, which hold nothing to be escaped.
field() {
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# The same of a text for people, which may hold quotes.
sentence() {
    sed -En "s/.*\"$1\":\"(([^\"\\\\]|\\\\.)*)\".*/\1/p"
}

# Prints why a request failed, and ends with the exit code $1: the problem's detail, and all of the
# problem, which names the cells.
failed() {
    [ -n "$2" ] || { echo "does \`ferry serve\` run at $url?" >&2; exit 1; }
    printf '%s\n' "$2" | sentence detail >&2
    echo "$2" >&2
    exit "$1"
}

response=$(call -H "Idempotency-Key: $key" -F "data=@$file" -F "name=$name" "$url/v1/submissions") ||
    failed 3 "$response"
id=$(printf '%s' "$response" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p')
echo "submitted as $id" >&2

while :; do
    view=$(call "$url/v1/submissions/$id?wait=30s") || failed 1 "$view"
    state=$(printf '%s' "$view" | field state)
    case $state in
        completed) call "$url/v1/submissions/$id/results/tableofresultids" || exit 1; exit 0 ;;
        rejected)
            case $view in
                *'"feedback":{'*) call "$url/v1/submissions/$id/feedback" || exit 1; echo ;;
                # The Platform rejected the upload itself, such as a name that exists.
                *) printf '%s\n' "$view" | sentence reason >&2 ;;
            esac
            exit 4 ;;
        failed | cancelled | held) echo "$id is $state: $(printf '%s\n' "$view" | sentence reason)" >&2; exit 1 ;;
    esac
done
