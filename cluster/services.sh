#!/usr/bin/env bash
# cluster/services.sh start | stop | backup FOLDER | restore FOLDER
#
# What a shared sweep needs besides Ray: PostgreSQL (the ledger, and MLflow's own database) and MLflow, as the calling
# user (not root), on 127.0.0.1 alone, both with passwords. `start` makes them the first time, starts them, and writes
# ~/.config/kdsearch/environment (readable by you alone), which cluster/environment reads:
#
#     KDSEARCH_STORAGE=/data/kdsearch cluster/services.sh start && . cluster/environment
#     0 * * * * …/cluster/services.sh backup /backup/kdsearch      # a crontab line; the last 48 of each database are kept
#     @reboot   …/cluster/services.sh start
#
# Data lie in $KDSEARCH_SERVICES (~/kdsearch-services). A backup is the databases and, once, what MLflow keeps in
# files (reports, models).
set -euo pipefail
umask 077

home=${KDSEARCH_SERVICES:-$HOME/kdsearch-services}
settings=${XDG_CONFIG_HOME:-$HOME/.config}/kdsearch/environment
postgres_port=${KDSEARCH_POSTGRES_PORT:-5433}
mlflow_port=${KDSEARCH_MLFLOW_PORT:-5000}
databases=(kdsearch mlflow mlflow_auth)
postgres=$(dirname "$(ls /usr/lib/postgresql/*/bin/pg_ctl 2> /dev/null | sort -V | tail -n 1)")
[ "$postgres" != . ] || { echo "PostgreSQL is not installed: apt-get install postgresql" >&2; exit 1; }

export PGHOST=127.0.0.1 PGPORT=$postgres_port PGUSER=kdsearch PGPASSFILE=$home/pgpass

secret() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

make() {
    mkdir -p "$home/artifacts"
    printf '%s' "$(secret)" > "$home/postgres-password"
    printf '%s' "$(secret)" > "$home/mlflow-password"
    printf '%s' "$(secret)" > "$home/mlflow-session-key"
    echo "127.0.0.1:*:*:kdsearch:$(cat "$home/postgres-password")" > "$home/pgpass"
    "$postgres/initdb" --pgdata="$home/postgres" --username=kdsearch --encoding=UTF8 --locale=C.UTF-8 \
        --auth=scram-sha-256 --pwfile="$home/postgres-password" > /dev/null
}

url() { echo "postgresql+psycopg://kdsearch:$(cat "$home/postgres-password")@127.0.0.1:$postgres_port/$1"; }

start_postgres() {
    "$postgres/pg_ctl" status --pgdata="$home/postgres" > /dev/null && return
    "$postgres/pg_ctl" start --wait --silent --pgdata="$home/postgres" --log="$home/postgres.log" \
        --options="-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories=''"
    for database in "${databases[@]}"; do
        "$postgres/psql" -d postgres -tAc "SELECT 1 FROM pg_database WHERE datname = '$database'" | grep -q 1 \
            || "$postgres/createdb" "$database"
    done
}

start_mlflow() {
    is_up && return
    cat > "$home/mlflow-auth.ini" << INI
[mlflow]
default_permission = READ
database_uri = $(url mlflow_auth)
admin_username = kdsearch
INI
    # By the environment, because everybody can read a command line.
    MLFLOW_BACKEND_STORE_URI=$(url mlflow) MLFLOW_AUTH_CONFIG_PATH=$home/mlflow-auth.ini \
        MLFLOW_AUTH_ADMIN_PASSWORD=$(cat "$home/mlflow-password") \
        MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat "$home/mlflow-session-key") MLFLOW_DISABLE_TELEMETRY=true \
        setsid mlflow server --app-name kdsearch-auth --host 127.0.0.1 --port "$mlflow_port" --workers 2 \
        --artifacts-destination "$home/artifacts" >> "$home/mlflow.log" 2>&1 < /dev/null &
    echo $! > "$home/mlflow.pid"
    for _ in $(seq 120); do
        is_up && return
        kill -0 "$(cat "$home/mlflow.pid")" 2> /dev/null || break
        sleep 1
    done
    echo "MLflow did not start, see $home/mlflow.log" >&2
    exit 1
}

is_up() { python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$mlflow_port/health', timeout=2)" 2> /dev/null; }

write_settings() {
    mkdir -p "$(dirname "$settings")"
    local storage=${KDSEARCH_STORAGE:-}
    if [ -z "$storage" ] && [ -r "$settings" ]; then storage=$(. "$settings" && echo "$KDSEARCH_STORAGE"); fi
    storage=${storage:-$home/storage}
    cat > "$settings" << SETTINGS
export KDSEARCH_STORAGE='$storage'
export KDSEARCH_LEDGER='$(url kdsearch)'
export KDSEARCH_MLFLOW='http://127.0.0.1:$mlflow_port'
export MLFLOW_TRACKING_USERNAME='kdsearch'
export MLFLOW_TRACKING_PASSWORD='$(cat "$home/mlflow-password")'
SETTINGS
    echo "PostgreSQL and MLflow (http://127.0.0.1:$mlflow_port, user kdsearch) are up; see $settings"
}

backup() {
    mkdir -p "$1"
    local stamp
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    for database in "${databases[@]}"; do
        "$postgres/pg_dump" --format=custom --file="$1/$database-$stamp.part" "$database"
        mv "$1/$database-$stamp.part" "$1/$database-$stamp.dump"
        { ls -r "$1/$database"-[0-9]*.dump | tail -n +49 | xargs -r rm; } || true
    done
    # Reports and models: after the databases, which may not name a file that the copy lacks.
    mkdir -p "$1/artifacts"
    cp -a "$home/artifacts/." "$1/artifacts/"
}

restore() {
    for database in "${databases[@]}"; do
        "$postgres/pg_restore" --clean --if-exists --exit-on-error --single-transaction --dbname="$database" \
            "$(ls "$1/$database"-[0-9]*.dump | tail -n 1)"
    done
    [ ! -d "$1/artifacts" ] || cp -a "$1/artifacts/." "$home/artifacts/"
}

stop() {
    if [ -s "$home/mlflow.pid" ]; then
        kill -- "-$(cat "$home/mlflow.pid")" 2> /dev/null || true
        rm "$home/mlflow.pid"
    fi
    "$postgres/pg_ctl" stop --pgdata="$home/postgres" --mode=fast --silent
}

case ${1:-} in
    start)
        [ -e "$home/postgres/PG_VERSION" ] || make
        start_postgres
        start_mlflow
        write_settings
        ;;
    stop) stop ;;
    backup | restore) "$1" "${2:?which folder}" ;;
    *)
        sed -n '2p' "$0" | cut -c 3- >&2
        exit 2
        ;;
esac
