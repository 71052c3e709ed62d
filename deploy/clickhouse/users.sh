#!/bin/bash
# Run by the ClickHouse image at its first start, behind roles.sql: makes the users, each with the
# password of its secret. Passwords travel by standard input, never on a command line.
set -euo pipefail
ask() { clickhouse-client --user "${CLICKHOUSE_USER:-default}" --password "$(cat /run/secrets/clickhouse_admin)" --multiquery; }
for pair in pipeline:popflow_writer dashboards:popflow_reader page:popflow_public; do
    user=${pair%%:*} role=${pair##*:}
    hash=$(sha256sum < "/run/secrets/$user" | cut -d ' ' -f 1)
    echo "CREATE USER IF NOT EXISTS $user IDENTIFIED WITH sha256_hash BY '$hash';
          GRANT $role TO $user; SET DEFAULT ROLE $role TO $user;" | ask
done
