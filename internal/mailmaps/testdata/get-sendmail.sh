#!/bin/sh
# Gets Debian's sendmail without installing it, which would remove Postfix:
#   get-sendmail.sh [DIR]
# Unpacks the packages below DIR, by default ~/.cache/nullspf/sendmail, where
# the tests of internal/mailmaps look, and leaves programs that run from there
# in DIR/bin: makemap, sendmail, m4. Does nothing when they run already, and
# when a sendmail that is installed has brought makemap. Needs no root.
set -eu

if [ $# -eq 0 ] && { command -v makemap || [ -x /usr/sbin/makemap ]; } >/dev/null; then
    exit 0
fi
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/nullspf/sendmail}
if [ -x "$dir/bin/makemap" ] && "$dir/bin/m4" --version >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "$0: this takes apt-get and dpkg-deb of Debian or Ubuntu; elsewhere put makemap into PATH" >&2
    exit 1
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
rm -rf "$dir/root" "$dir/bin" "$dir/deb"
mkdir "$dir/root" "$dir/bin" "$dir/deb"

# The libraries of these programs that are not installed.
libraries=$(apt-cache depends sendmail-bin m4 |
    sed -n 's/^ *|\{0,1\}Depends: \(lib[^ <>]*\)$/\1/p' | sort -u)
cd "$dir/deb"
for package in sendmail-bin sendmail-cf m4 $libraries; do
    case $package in lib*)
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed && continue ;;
    esac
    apt-get -qq -o APT::Sandbox::User=root download "$package"
done
for package in *.deb; do
    dpkg-deb -x "$package" "$dir/root"
done
rm -rf "$dir/deb"

libraries=$(find "$dir/root" -name '*.so*' -exec dirname {} + | sort -u | tr '\n' ':')
wrap() {
    # The loader ignores LD_LIBRARY_PATH for set-group-ID programs.
    chmod 0755 "$2"
    cat >"$dir/bin/$1" <<EOF
#!/bin/sh
LD_LIBRARY_PATH='$libraries' exec '$2' "\$@"
EOF
    chmod 0755 "$dir/bin/$1"
}
wrap m4 "$dir/root/usr/bin/m4"
wrap sendmail "$dir/root/usr/libexec/sendmail/sendmail"
wrap makemap "$dir/root/usr/libexec/sendmail/makemap"
