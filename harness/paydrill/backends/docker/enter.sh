#!/bin/sh
# The first process of every container, as root: raises the fence, then runs the node as its own user.
#   enter.sh UID GID PROGRAM ARGUMENT...
# It outlives the node: after a kill or a crash the node's address still answers, with a refusal, as that
# of a machine does whose process died. SIGUSR1 starts the node again. /run/paydrill/state says how it is:
# `running N`, or `ended N CODE`, where N counts its starts. What may differ from one start to the next lies
# in /run/paydrill/before (words NAME=VALUE of its environment) and /run/paydrill/after (more arguments).
set -eu
exec >>/run/paydrill/log 2>&1
uid=$1 gid=$2
shift 2
/usr/sbin/nft -f /run/paydrill/fence.nft
# PostgreSQL's programs want the user to have a name.
grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd || echo "drill:x:$uid:$gid::$HOME:/bin/sh" >>/etc/passwd
# The engine's and this shell's own additions: a node's environment is what its target says.
unset HOSTNAME PWD OLDPWD

again=yes
trap 'again=yes' USR1
trap 'exit 143' TERM INT
count=0
while :; do
    while [ "$again" = no ]; do sleep 0.02; done
    again=no
    count=$((count + 1))
    echo "running $count" >/run/paydrill/state
    before=$(cat /run/paydrill/before 2>/dev/null) || before=
    after=$(cat /run/paydrill/after 2>/dev/null) || after=
    # No way back for the node: no capability, now or later. vary.sh: how it is started otherwise than planned.
    (
        [ ! -s /run/paydrill/vary.sh ] || . /run/paydrill/vary.sh
        exec /usr/bin/setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
            --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- /usr/bin/env $before "$@" $after
    ) &
    node=$!
    code=0
    wait "$node" || code=$?
    # A signal that came while the node ran is none of its business.
    while kill -0 "$node" 2>/dev/null; do
        again=no code=0
        wait "$node" || code=$?
    done
    echo "ended $count $code" >/run/paydrill/state
done
