#!/bin/sh
# Databases and schemas of the Temporal server. May be run again: it brings older schemas up to the tools' version.
# SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD are read by the tool itself.
set -eu
export SQL_PLUGIN=postgres12
SCHEMAS=${SCHEMAS:-/etc/temporal/schema/postgresql/v12}

for database in temporal temporal_visibility; do
  kind=${database#temporal_}
  export SQL_DATABASE=$database
  temporal-sql-tool create
  temporal-sql-tool setup-schema -v 0.0
  temporal-sql-tool update-schema -d "$SCHEMAS/$kind/versioned"
done
