# Starts the agent on a node, after receiving it if the node does not have it. Sent as one line: comments are dropped,
# lines are joined by a space. No single quote, backslash, exclamation mark: one pair of single quotes must carry it
# through any login shell. Output before the agent runs is lines that begin with $k; errors of tools go there as well.
exec 3>&2 2>&1;
# Private while we write; the agent works with the login's own mask.
o=$(umask); umask 077;
k=convoy-boot; k=${k}strap-1;
no() { echo "$k fail $1"; exit 1; };
m=$(uname -m);
case $m in @AGENTS@ *) no "convoy carries no agent for the machine type $m";; esac;
for x in dd sha256sum; do command -v $x >/dev/null || no "$x is missing: install coreutils or busybox"; done;
# The directories that may hold the agent: the login user's cache first.
w=;
case ${XDG_CACHE_HOME:-} in
/*) w=$XDG_CACHE_HOME/convoy;;
*) case ${HOME:-} in /?*) [ -d "$HOME" ] && w=$HOME/.cache/convoy;; esac;;
esac;
u=$(id -u);
set -- "${XDG_RUNTIME_DIR:-/run/user/$u}/convoy" /dev/shm/convoy-$u "${TMPDIR:-/tmp}/convoy-$u" /var/tmp/convoy-$u;
[ -z "$w" ] || set -- "$w" "$@";
# A directory, no link, not writable by others, ours.
ok() { case $(ls -ld "$1" 2>/dev/null) in d????-??-*) [ -O "$1" ];; *) false;; esac; };
for c do
f=$c/agent-$d;
if [ -O "$f" ] && [ -x "$f" ] && ok "$c"; then
case $(sha256sum <"$f") in "$d"*) umask $o; exec "$f" 2>&3 3>&-;; esac;
fi;
done;
# Not there: find a directory that has the space and lets programs run.
t=; e=;
q() { [ -z "$t" ] || rm -f "$t" "$t.in"; };
trap q 0;
trap "exit 1" HUP INT PIPE TERM;
for c do
{ if [ "$c" = "$w" ]; then mkdir -p "$c"; else [ -d "$c" ] || mkdir "$c"; fi; } 2>/dev/null;
if ok "$c"; then
t=$c/.agent-$(uname -n)-$$;
r="is read-only or has not $((s+z)) bytes free";
if { dd if=/dev/zero of="$t" bs=65536 count=$(((s+z)/65536+1)) && echo exit 0 >"$t" && chmod 700 "$t"; } 2>/dev/null; then
r="does not let programs run (noexec)";
"$t" 2>/dev/null </dev/null && break;
fi;
q; t=;
elif [ -e "$c" ]; then r="is not a private directory of this user";
else r="cannot be made"; fi;
e="$e; $c $r";
done;
[ "$t" ] || no "no directory of the node can hold the agent$e";
g=raw; n=$s;
[ $z -gt 0 ] && command -v gzip >/dev/null && g=gz && n=$z;
echo "$k need $m $g";
# What was sent before the sender could know comes again after the agent.
[ @AHEAD@ -eq 0 ] || dd bs=1 count=@AHEAD@ >/dev/null 2>&1;
: >"$t.in"; i=0;
# One dd with count=1 reads once, never more than its block; head may read ahead.
while [ $i -lt $n ]; do
b=$((n-i)); [ $b -gt 65536 ] && b=65536;
dd bs=$b count=1 2>/dev/null >>"$t.in";
j=$i; i=$(($(wc -c <"$t.in")));
[ $i -gt $j ] || no "the agent did not arrive whole: $i of $n bytes";
echo "$k got $i";
done;
if [ $g = gz ]; then gzip -dc <"$t.in" >"$t"; else cat "$t.in" >"$t"; fi || no "$t cannot be written";
case $(sha256sum <"$t") in "$d"*) ;; *) no "the agent arrived damaged";; esac;
f=$c/agent-$d;
mv -f "$t" "$f" || no "$f cannot be made";
q; trap - 0;
umask $o;
exec "$f" 2>&3 3>&-
