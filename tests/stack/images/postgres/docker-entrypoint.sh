#!/usr/bin/env bash
# Upstream's contract, as far as this project uses it: POSTGRES_{USER,PASSWORD,DB} and their _FILE forms, PGDATA, root
# becomes the user postgres, and no TCP before the database is complete.
set -Eeo pipefail

file_env() {
    local variable=$1 file=${1}_FILE value=${2:-}
    if [ "${!variable:-}" ] && [ "${!file:-}" ]; then echo >&2 "error: both $variable and $file are set"; exit 1; fi
    if [ "${!variable:-}" ]; then value=${!variable}; elif [ "${!file:-}" ]; then value=$(<"${!file}"); fi
    export "$variable"="$value"
    unset "$file"
}

create_database() {
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo >&2 'Error: Database is uninitialized and superuser password is not specified.'
        exit 1
    fi
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
    if [ "$POSTGRES_DB" != postgres ]; then
        PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password \
            --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db" ;'
    fi
    pg_ctl -D "$PGDATA" -m fast -w stop
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA" /var/run/postgresql
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        chown postgres /var/run/postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/var/lib/postgresql "${BASH_SOURCE[0]}" "$@"
    fi
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || :
    if [ -s "$PGDATA/PG_VERSION" ]; then
        printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
        create_database
    fi
fi
exec "$@"
