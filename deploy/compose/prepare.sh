#!/usr/bin/env bash
# Makes what docker-compose.yml needs and the repository does not hold: `.env` and the secrets. What is
# there stays as it is, so that it may be run again.
#
# For the real Platform, edit `.env` (no profile, its addresses, the client id), and write its secrets
# into deploy/compose/secrets/client-secret and api-key.
set -euo pipefail
cd "$(dirname "$0")/../.."
secrets=deploy/compose/secrets

# Containers have users of their own, so that each must be able to read the files; nobody else on this
# machine gets past the folder.
mkdir -p "$secrets"
chmod 700 "$secrets"

keep() {
    if [ -e "$1" ]; then
        # Whoever writes must not find that nobody reads.
        cat >/dev/null
        return
    fi
    cat >"$1.new"
    chmod 444 "$1.new"
    mv "$1.new" "$1"
    echo "made $1"
}

random() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

random | keep "$secrets/store-password"
random | keep "$secrets/grafana-password"
printf 'demo-secret\n' | keep "$secrets/client-secret"
printf 'demo-key\n' | keep "$secrets/api-key"

# Redis keeps the hash alone. Who has no password may ping, for the health check.
hash=$(tr -d '\n' <"$secrets/store-password" | sha256sum | cut -d ' ' -f 1)
rights='+@read +@write +@connection +eval +evalsha +script|load +publish +subscribe +unsubscribe +time -@dangerous +info'
printf '%s\n' \
    'user default on nopass -@all +ping' \
    "user ferry on #$hash ~{ferry}:* &{ferry}:* -@all $rights" |
    keep "$secrets/redis-users"

if [ ! -e .env ]; then
    cat >.env <<'ENV'
# With this profile the Platform is simulated; without any, it is the real one.
COMPOSE_PROFILES=simulated
FERRY_TOKEN_URL=http://platform:8700/connect/token
FERRY_API_URL=http://platform:8700/upload
FERRY_CLIENT_ID=demo
ENV
    echo "made .env"
fi
