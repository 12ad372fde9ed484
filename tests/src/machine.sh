# Boots systemd on an overlay of this machine's file system. Boots it again whenever it shuts down, unless the file
# `off` exists. $1 is the machine's directory, visible inside under the same path; nothing is written outside of it.
set -eu
PATH=$PATH:/usr/sbin:/sbin
export dir="$1" root="$1/disk/root"

mkdir -p "$dir/disk"
mount -t tmpfs tmpfs "$dir/disk"
mkdir "$dir/disk/upper" "$dir/disk/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/disk/upper,workdir=$dir/disk/work" "$root"

# None of this machine's services start, only what the test needs.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
for unit in systemd-udevd.service tmp.mount systemd-sysctl.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
cp "$dir/sshd.service" "$root/etc/systemd/system/machine-sshd.service"
printf '[Unit]\nWants=machine-sshd.service systemd-journald.service\n' >"$root/etc/systemd/system/machine.target"
for name in shutdown reboot; do
    [ -e "$root/sbin/$name" ] || ln -s /bin/systemctl "$root/sbin/$name"
done

cat >"$dir/boot.sh" <<'BOOT'
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
mkdir -p "$root$dir" "$dir/home"
mount --bind "$dir" "$root$dir"
# An empty home for root, without shell profiles.
mount --bind "$dir/home" "$root/root"
# Kernel settings, which all machines share, are read-only. Only the boot id is different on each boot.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
cat /proc/sys/kernel/random/uuid >"$dir/boot_id"
mount --bind "$dir/boot_id" "$root/proc/sys/kernel/random/boot_id"
exec chroot "$root" env -i container=convoy PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    --system --unit=machine.target --log-target=journal --show-status=false
BOOT

while [ ! -e "$dir/off" ]; do
    setpriv --pdeathsig KILL unshare --mount --pid --fork --uts --ipc --cgroup --kill-child=KILL sh -eu "$dir/boot.sh" || true
done
