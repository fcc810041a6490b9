#!/bin/bash
# Runs once, on an empty volume: a role and databases for Temporal, another for ours. Neither can read the other's.
# The logins of our processes beside the owner's are made by roles.sh.
set -eu
for name in temporal aftersales; do
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
        --set name="$name" --set password="$(cat "/run/secrets/$name-password")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
SQL
done
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" <<'SQL'
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE aftersales OWNER aftersales;
CREATE DATABASE aftersales_keys OWNER aftersales;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility, aftersales, aftersales_keys FROM PUBLIC;
SQL
