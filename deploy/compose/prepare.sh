#!/usr/bin/env bash
# Creates what docker-compose.yml needs and the repository does not contain: `.env` and the secrets.
# Run it again after every upgrade: it keeps passwords and `.env`, and rewrites only the users of Redis.
#
# For the real Platform, edit `.env` (no profile, its addresses, the client id), and write its secrets
# into deploy/compose/secrets/client-secret and api-key.
#
# To replace a password, or the certificate of Redis, delete its file and run this again. Containers see a new
# secret only when they are created again: `docker compose up -d --force-recreate`.
set -euo pipefail
cd "$(dirname "$0")/../.."
secrets=deploy/compose/secrets

# Containers run as other users, so every file must be readable for all; the folder is closed to
# the other users of this machine. A clone made with a strict umask has configuration files that Redis and Prometheus
# cannot read.
mkdir -p "$secrets"
chmod 700 "$secrets"
find dashboards deploy -path "$secrets" -prune -o -exec chmod a+rX {} +

write() {
    cat >"$1.new"
    chmod 644 "$1.new"
    mv "$1.new" "$1"
    echo "made $1"
}

keep() {
    if [ -e "$1" ]; then
        # Without a reader the writer would fail.
        cat >/dev/null
    else
        write "$1"
    fi
}

random() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

hash() {
    tr -d '\n' | sha256sum | cut -d ' ' -f 1
}

random | keep "$secrets/store-password"
random | keep "$secrets/backup-password"
random | keep "$secrets/admin-password"
random | keep "$secrets/grafana-password"
printf 'demo-secret\n' | keep "$secrets/client-secret"
printf 'demo-key\n' | keep "$secrets/api-key"

# Redis replays its append-only file as `default`, and versions before 8.6 silently drop every
# transaction that `default` may not run. So `default` may run everything, and has a random password,
# of which only this hash is stored.
users=$secrets/redis-users
default=$(grep -xE 'user default on #[0-9a-f]{64} ~\* &\* \+@all' "$users" 2>/dev/null) ||
    default="user default on #$(random | hash) ~* &* +@all"
# `admin` is for operators: no process has its password.
# `acl|dryrun` lets Ferry check the above. It reveals no password, and `acl|getuser` would.
rights='+@read +@write +@connection +eval +evalsha +script|load +publish +subscribe +unsubscribe +time -@dangerous -function +info +acl|dryrun'
wanted=$(printf '%s\n' "$default" \
    "user ferry on #$(hash <"$secrets/store-password") ~{ferry}:* &{ferry}:* -@all $rights" \
    "user backup on #$(hash <"$secrets/backup-password") -@all +ping +replconf +sync +psync" \
    "user admin on #$(hash <"$secrets/admin-password") ~* &* +@all")
if [ "$wanted" != "$(cat "$users" 2>/dev/null)" ]; then
    printf '%s\n' "$wanted" | write "$secrets/redis-users"
fi

# An authority for one certificate: its key is deleted, so that there is never another one. The name is that of
# the service; the address is for commands in the container.
certify() {
    local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    openssl req -x509 "${new_key[@]}" -keyout "$1/authority.key" -out "$1/authority" -days 3650 \
        -subj "/CN=Authority of one certificate" -addext "keyUsage=critical,keyCertSign" &&
        openssl req "${new_key[@]}" -keyout "$1/key" -out "$1/request" -subj "/CN=redis" &&
        printf 'subjectAltName=DNS:redis,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$1/extensions" &&
        openssl x509 -req -in "$1/request" -CA "$1/authority" -CAkey "$1/authority.key" -set_serial 1 \
            -days 3650 -extfile "$1/extensions" -out "$1/certificate"
}

if [ ! -e "$secrets/redis-authority" ] || [ ! -e "$secrets/redis-certificate" ] || [ ! -e "$secrets/redis-key" ]; then
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    if ! certify "$made" >"$made/log" 2>&1; then
        cat "$made/log" >&2
        echo "error: \`openssl\` cannot make the certificate of Redis; install OpenSSL 1.1.1 or newer" >&2
        exit 1
    fi
    write "$secrets/redis-authority" <"$made/authority"
    write "$secrets/redis-certificate" <"$made/certificate"
    write "$secrets/redis-key" <"$made/key"
fi

if [ ! -e .env ]; then
    cat >.env <<'ENV'
# With this profile the Platform is simulated; without any, it is the real one.
COMPOSE_PROFILES=simulated
FERRY_TOKEN_URL=http://platform:8700/connect/token
FERRY_API_URL=http://platform:8700/upload
FERRY_CLIENT_ID=demo
# For a second clone on this machine, or where a port is taken:
#COMPOSE_PROJECT_NAME=ferry-2
#SERVER_PORT=8601
#GRAFANA_PORT=3001
#PROMETHEUS_PORT=9091
#ALERTMANAGER_PORT=9094
ENV
    echo "made .env"
fi

# Where SELinux is enforced, containers read only what has this label.
if command -v selinuxenabled >/dev/null && selinuxenabled; then
    chcon -R -t container_file_t dashboards deploy
fi
