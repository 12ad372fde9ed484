# Sets up accounts in a mount namespace: replaces /etc, the homes and the state directories. $1 is an empty directory.
set -eu
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs tmpfs "$1"
cp -a /etc/. "$1"
mount --bind "$1" /etc
for dir in /home /root /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$dir"; done
chmod 0700 /root
chmod 0755 /home
# A /var/lib without the machine's /var/lib/convoy; everything else in it stays visible.
mount -t tmpfs -o mode=755 tmpfs /mnt
for dir in /var/lib/*/; do
    name=$(basename "$dir")
    [ "$name" != convoy ] || continue
    mkdir "/mnt/$name"
    mount --bind "$dir" "/mnt/$name"
done
mount --move /mnt /var/lib
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
# sudo's records of recent passwords and of users who have seen the lecture.
for dir in /run/sudo /var/lib/sudo; do
    mkdir -p "$dir"
    mount -t tmpfs -o mode=711 tmpfs "$dir"
done
# The state of agents that run as root or as a user without a home.
mkdir -p /var/lib/convoy
mount -t tmpfs -o mode=700 tmpfs /var/lib/convoy
rm -f /etc/sudoers.d/* /etc/doas.conf
# Otherwise sudo does not ask again for 15 minutes.
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
