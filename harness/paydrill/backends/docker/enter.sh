#!/bin/sh
# What every container begins with, as root: raise the fence, then become the node, with no way back.
#   enter.sh UID GID PROGRAM ARGUMENT...
# It runs at each start of the container, so the fence stands again after a kill.
set -eu
exec >>/run/paydrill/log 2>&1
uid=$1 gid=$2
shift 2
/usr/sbin/nft -f /run/paydrill/fence.nft
# PostgreSQL's programs want the user to have a name.
grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd || echo "drill:x:$uid:$gid::$HOME:/bin/sh" >>/etc/passwd
# The engine's and this shell's own additions: a node's environment is what its target says.
unset HOSTNAME PWD OLDPWD
exec /usr/bin/setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
    --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@"
