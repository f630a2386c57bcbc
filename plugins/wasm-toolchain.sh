#!/usr/bin/env bash
# Makes a private compiler for wasm32-unknown-unknown in DEST out of Debian packages, where rustup cannot fetch one.
#   plugins/wasm-toolchain.sh DEST     about 550 MB; then: . DEST/env
# Needs apt (its lists are fetched if they are missing, which takes root), dpkg-deb, and rustup's cargo and linkers.
set -euo pipefail
mkdir -p "$1"
dest=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The packages with versions in their names are found through those that depend on them.
field() { apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n "s/^$2: //p"; }
[ -n "$(field rustc-web Version)" ] || apt-get update -qq
driver=$(field libstd-rust-web-dev Depends | grep -o 'libstd-rust-web-[0-9.]*[0-9]' | head -n 1)
llvm=$(field "$driver" Depends | grep -o 'libllvm[0-9]*' | head -n 1)
echo "fetching a compiler with $driver and $llvm" >&2
cd "$work"
apt-get download -qq rustc-web libstd-rust-web-dev rust-web-src "$driver" "$llvm" libz3-4 libedit2 >&2

# Programs and libraries whole; of the compiler's source only its standard library.
mkdir tree
for package in ./*.deb; do
  case $package in
    ./rust-web-src_*) dpkg-deb --fsys-tarfile "$package" | tar -x -C tree --wildcards './usr/src/rustc-*/library' ;;
    *) dpkg-deb --fsys-tarfile "$package" | tar -x -C tree --exclude './usr/share' ;;
  esac
done
mkdir -p "$dest/bin" "$dest/lib/rustlib/src/rust"
cp -a tree/usr/lib/x86_64-linux-gnu/*.so* "$dest/lib/"
cp -a tree/usr/lib/rustlib/. "$dest/lib/rustlib/"
cp -a tree/usr/src/rustc-*/library "$dest/lib/rustlib/src/rust/"
cp tree/usr/bin/rustc "$dest/bin/rustc.real"
cat > "$dest/bin/rustc" <<'W'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH="$here/../lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/rustc.real" "$@"
W
chmod +x "$dest/bin/rustc"

# The linkers come with rustup's compiler: by a link, because rust-lld finds its own library from where it lies.
bin=lib/rustlib/x86_64-unknown-linux-gnu/bin
rm -rf "${dest:?}/$bin"
ln -s "$(env -u RUSTC rustc --print sysroot)/$bin" "$dest/$bin"

# The standard library for the target, built once from its own vendored sources.
library=$dest/lib/rustlib/src/rust/library
mkdir -p "$work/std/src"
cd "$work/std"
echo '#![no_std]' > src/lib.rs
printf '[package]\nname = "stdbuild"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "abort"\n[workspace]\n' > Cargo.toml
RUSTC=$dest/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/target \
  RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$library=/rustc/library" \
  cargo build --quiet --release --offline -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown \
  --config 'source.crates-io.replace-with="vendored"' --config "source.vendored.directory=\"$library/vendor\""
libraries=$dest/lib/rustlib/wasm32-unknown-unknown/lib
mkdir -p "$libraries"
cp "$work"/target/wasm32-unknown-unknown/release/deps/lib*.rlib "$libraries/"
rm -f "$libraries"/libstdbuild-* && rm -rf "$dest/lib/rustlib/src"

# Only a compiler that has proved itself gets an `env`, which is what others look for.
echo '#[no_mangle] pub extern "C" fn f(n: usize) -> usize { format!("{:?}", vec![n]).len() }' |
  "$dest/bin/rustc" -O --target wasm32-unknown-unknown --crate-type cdylib --crate-name smoke -o "$work/smoke.wasm" -
[ "$(head -c 4 "$work/smoke.wasm" | tail -c 3)" = asm ]
printf 'export RUSTC="%s/bin/rustc"\n' "$dest" > "$dest/env"
