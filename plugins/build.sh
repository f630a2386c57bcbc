#!/usr/bin/env bash
# Builds the shipped plugins, and the hostile one for the tests, as WebAssembly components.
#   plugins/build.sh            into plugins/dist and tests/hostile/dist, with a manifest of their sources
#   plugins/build.sh --out DIR  into DIR, leaving what is committed alone
#   plugins/build.sh --check    builds nothing; fails if sources changed since the components were built
#   plugins/build.sh --boundary DIR  the guests of the benchmark `matrix` into DIR, with SIMD and without
# CARGO_TARGET_DIR is honoured. LOGSMITH_WASM_TOOLCHAIN names the folder of a private compiler, where one is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
manifest=plugins/dist/MANIFEST

# Each folder that is made into a component is a plugin that ships; the others are libraries of these.
shipped=$(cd plugins && grep -l cdylib ./*/Cargo.toml | cut -d/ -f2 | LC_ALL=C sort)

sources() {
  find wit plugins tests/hostile -type f \( -name '*.rs' -o -name '*.wit' -o -name 'Cargo.*' \) -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum
}

out=
guests=
case ${1:-} in
  --check)
    if ! sources | diff "$manifest" - >&2; then
      echo "plugins/dist is older than its sources: run plugins/build.sh and commit what it builds" >&2
      exit 1
    fi
    echo "plugins/dist is as new as its sources"
    exit 0 ;;
  --out) out=${2:?a folder}; mkdir -p "$out" ;;
  --boundary) guests=${2:?a folder}; mkdir -p "$guests" ;;
  '') ;;
  *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac

# A compiler with a standard library for the guests: rustup's, or one of our own where rustup cannot fetch it.
if [ ! -d "$(rustc --print target-libdir --target wasm32-unknown-unknown)" ] &&
  ! timeout 60 rustup target add wasm32-unknown-unknown >/dev/null 2>&1; then
  toolchain=${LOGSMITH_WASM_TOOLCHAIN:-$target/wasm-toolchain}
  [ -f "$toolchain/env" ] || bash plugins/wasm-toolchain.sh "$toolchain"
  # shellcheck source=/dev/null
  . "$toolchain/env"
fi
# The linker that makes a component of a module ships with rustup's compiler, off the PATH.
sysroot=$(env -u RUSTC rustc --print sysroot)
host=$(env -u RUSTC rustc -vV | sed -n 's/^host: //p')
export PATH="$sysroot/lib/rustlib/$host/bin:$PATH"
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-component-ld
# No path of this machine may stand in a panic message.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
remaps="--remap-path-prefix=$root=/logsmith --remap-path-prefix=$cargo_home=/cargo"
export RUSTFLAGS="-C target-feature=+simd128 $remaps"

# place BUILT TO: a component, checked to be one.
place() {
  # Byte 5 tells a component from a core module, which the wrong linker would have made.
  [ "$(head -c 5 "$1" | tail -c 1 | od -An -tx1 | tr -d ' ')" = 0d ] || { echo "$1 is no component" >&2; exit 1; }
  cp "$1" "$2"
  echo "$(basename "$2"): $(stat -c %s "$1") bytes"
}

if [ -n "$guests" ]; then
  for simd in on off; do
    [ $simd = on ] || RUSTFLAGS=$remaps
    CARGO_TARGET_DIR=$target/boundary/simd-$simd cargo build --quiet --locked --release --examples \
      --target wasm32-unknown-unknown --manifest-path tests/bench/matrix/guests/Cargo.toml
    for way in columns records ipc; do
      place "$target/boundary/simd-$simd/wasm32-unknown-unknown/release/examples/$way.wasm" "$guests/$way-simd-$simd.wasm"
    done
  done
  exit 0
fi

# shellcheck disable=SC2086,SC2046
CARGO_TARGET_DIR=$target/plugins cargo build --quiet --locked --release --target wasm32-unknown-unknown \
  --manifest-path plugins/Cargo.toml $(printf -- '-p logsmith-plugin-%s ' $shipped) -p logsmith-hostile

built=$target/plugins/wasm32-unknown-unknown/release
for plugin in $shipped; do
  place "$built/logsmith_plugin_$plugin.wasm" "${out:-plugins/dist}/$plugin.wasm"
done
place "$built/logsmith_hostile.wasm" "${out:-tests/hostile/dist}/hostile.wasm"
[ -n "$out" ] || sources > "$manifest"
