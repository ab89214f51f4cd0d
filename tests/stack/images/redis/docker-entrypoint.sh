#!/bin/sh
# Upstream's contract: options or a file stand for redis-server; root becomes the user redis; no protected mode.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ]; then
    shift
    case " $* " in *" --protected-mode "*) : ;; *) set -- "$@" --protected-mode no ;; esac
    set -- redis-server "$@"
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid=redis --regid=redis --init-groups "$@"
    fi
    [ "$(umask)" = 0022 ] && umask 0077
fi
exec "$@"
