# Boots systemd on a layer over this machine's own files, again and again until it is killed; `reboot` ends a turn.
# $1 is the machine's folder, which it has in common with this one. Nothing is written outside of it.
set -eu
PATH=$PATH:/usr/sbin:/sbin
export folder="$1" root="$1/disk/root"

mkdir -p "$folder/disk"
mount -t tmpfs tmpfs "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$root"

# Of this machine's services none is wanted, but what waits for the test.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
for unit in systemd-udevd.service tmp.mount systemd-sysctl.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
cp "$folder/sshd.service" "$root/etc/systemd/system/machine-sshd.service"
printf '[Unit]\nWants=machine-sshd.service systemd-journald.service\n' >"$root/etc/systemd/system/machine.target"
for name in shutdown reboot; do
    [ -e "$root/sbin/$name" ] || ln -s /bin/systemctl "$root/sbin/$name"
done

cat >"$folder/boot.sh" <<'BOOT'
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero random urandom full tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mkdir -p "$root$folder" "$folder/home"
mount --bind "$folder" "$root$folder"
# Its root has a profile of its own: none.
mount --bind "$folder/home" "$root/root"
# What the kernel has once for all machines stays as it is, but for this: it is another one each time.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
cat /proc/sys/kernel/random/uuid >"$folder/boot_id"
mount --bind "$folder/boot_id" "$root/proc/sys/kernel/random/boot_id"
exec chroot "$root" env -i container=convoy PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    --system --unit=machine.target --log-target=journal --show-status=false
BOOT

while [ ! -e "$folder/off" ]; do
    setpriv --pdeathsig KILL unshare --mount --pid --fork --uts --ipc --cgroup --kill-child=KILL sh -eu "$folder/boot.sh" || true
done
