#!/bin/sh
# Programs that the tests run beside Python ones. Installs what is missing on Debian and Ubuntu;
# elsewhere says what to install. Nothing is left running.
set -eu

missing=
needs() { # PACKAGE PROGRAM...: any of these programs will do
    package=$1
    shift
    for program; do
        command -v "$program" >/dev/null 2>&1 && return
    done
    missing="$missing $package"
}
needs chromium chromium
needs prometheus prometheus
needs prometheus promtool
needs prometheus-alertmanager prometheus-alertmanager alertmanager
needs prometheus-alertmanager amtool
needs fontconfig fc-list
fc-list :lang=zh 2>/dev/null | grep -q . || missing="$missing fonts-noto-cjk"
[ -n "$missing" ] || exit 0

root=
[ "$(id -u)" = 0 ] || root=sudo
if ! command -v apt-get >/dev/null 2>&1 || { [ -n "$root" ] && ! command -v sudo >/dev/null 2>&1; }; then
    echo "The tests need programs that are not on PATH:$missing (names of Debian packages)." >&2
    echo "Install chromium, prometheus with promtool, alertmanager with amtool, and a font with" >&2
    echo "Chinese characters, then run make test again." >&2
    exit 1
fi
echo "installing$missing"
$root apt-get update -qq
# shellcheck disable=SC2086 # a list of names
$root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends $missing >/dev/null
# The packages start services on every address; the tests start their own on 127.0.0.1.
for service in prometheus prometheus-alertmanager; do
    case $missing in
    *"$service"*) $root systemctl disable --now "$service" >/dev/null 2>&1 || true ;;
    esac
done
