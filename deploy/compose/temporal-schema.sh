#!/bin/sh
# Brings Temporal's two schemas to the version of this image. Doing it again changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/temporal-password)
export SQL_PASSWORD
for part in temporal visibility; do
    database=temporal
    [ "$part" = temporal ] || database=temporal_visibility
    # Refused where the schema stands already; whether it is whole is told by the update.
    temporal-sql-tool --database "$database" setup-schema -v 0.0 || true
    temporal-sql-tool --database "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$part/versioned"
done
