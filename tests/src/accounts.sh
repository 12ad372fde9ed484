# Prepares accounts that this machine does not have, in a mount namespace of its own. $1 is an empty folder.
set -eu
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs tmpfs "$1"
cp -a /etc/. "$1"
mount --bind "$1" /etc
for folder in /home /root /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
chmod 0700 /root
chmod 0755 /home
# Agents of root, and of users without a home, keep their state there. What the machine has below stays.
mount -t tmpfs -o mode=755 tmpfs /mnt
for folder in /var/lib/*/; do
    name=$(basename "$folder")
    [ "$name" != convoy ] || continue
    mkdir "/mnt/$name"
    mount --bind "$folder" "/mnt/$name"
done
mount --move /mnt /var/lib
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
# Where sudo notes who has given a password, and who was lectured.
for folder in /run/sudo /var/lib/sudo; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=711 tmpfs "$folder"
done
# Where agents keep their state, of root and of users without a home.
mkdir -p /var/lib/convoy
mount -t tmpfs -o mode=700 tmpfs /var/lib/convoy
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
rm -f /etc/sudoers.d/* /etc/doas.conf
# Without this a password is asked for once in a quarter of an hour.
echo 'Defaults timestamp_timeout=0' >/etc/sudoers

# account NAME [PASSWORD]
account() {
    useradd --create-home --shell /bin/sh "$1"
    [ $# -lt 2 ] || password "$1" "$2"
}
password() { echo "$1:$2" | chpasswd; }
# sudoers LINE
sudoers() { echo "$1" >>/etc/sudoers; }
# doas LINE
doas_conf() {
    echo "$1" >>/etc/doas.conf
    chmod 0400 /etc/doas.conf
}
