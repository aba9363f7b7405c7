#!/usr/bin/env bash
# Measures three Quorate nodes beside three etcd nodes on this machine and prints tables with ratios.
#
#   bench/run.sh                         everything, about forty minutes and longer on slow disks
#   bench/run.sh --quick                 about a minute, to see that it works
#   bench/run.sh --quorate PATH …        another binary than target/release/quorate
#   bench/run.sh --help                  all flags
#
# Debian packages that are missing are installed (as root; their services are not started). Results go to
# bench/target/results/ as JSON lines and Markdown.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
command -v etcd >/dev/null || missing+=(etcd-server)
command -v etcdctl >/dev/null || missing+=(etcd-client)
# The gRPC client's code is generated when it is built, from descriptions that import Google's.
command -v protoc >/dev/null || missing+=(protobuf-compiler)
[ -e /usr/include/google/protobuf/descriptor.proto ] || missing+=(libprotobuf-dev)

if [ ${#missing[@]} -gt 0 ]; then
  install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "run.sh: missing: ${missing[*]}; install them (Debian: ${install[*]})" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  # A package that ships a service must not start it here: the bench starts its own, on loopback.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
  fi
  apt-get update -qq >&2
  "${install[@]}" >&2
  [ "$(trap -p EXIT)" = "" ] || { rm -f "$policy"; trap - EXIT; }
fi

cargo build --release --locked --quiet --manifest-path "$here/Cargo.toml" --target-dir "$here/target"

# A path that the user names is relative to where the user is; the default is relative to the repository.
defaults=(--quorate "$here/../target/release/quorate" --work "$here/target/work"
          --out "$here/target/results/$(date -u +%Y%m%dT%H%M%SZ)")
exec "$here/target/release/quorate-bench" "${defaults[@]}" "$@"
