#!/bin/bash
# Who our processes log in as: the groups that `aftersales setup` grants to, and a login in each, with the password of its
# file. Runs after databases.sh on an empty volume, and by hand on one that is older than it. It can be run again.
set -eu
for kind in worker codec client; do
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set group="aftersales_$kind" \
        --set login="aftersales_${kind}_1" --set password="$(cat "/run/secrets/$kind-password")" <<'SQL'
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I', role) FROM unnest(ARRAY[:'group', :'login']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
ALTER ROLE :"login" LOGIN PASSWORD :'password';
GRANT :"group" TO :"login";
SQL
done
# `aftersales setup` makes the other groups.
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --command 'ALTER ROLE aftersales CREATEROLE'
