#!/bin/sh
# Makes the secrets that docker-compose.yml reads, each once: random, readable by their owner and
# the containers' users.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
for name in clickhouse_admin pipeline dashboards page grafana_admin; do
    [ -s "secrets/$name" ] || head -c 24 /dev/urandom | base64 | tr -d '+/=\n' > "secrets/$name"
    chmod 0444 "secrets/$name"
done
chmod 0711 secrets
