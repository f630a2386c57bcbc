#!/usr/bin/env bash
# Builds the example plugin of one language, and prints where the component is:
#   bash examples/plugins/build.sh javascript|python
# What it needs besides (npm's componentize-qjs, pip's componentize-py) it installs into
# LOGSMITH_GUEST_TOOLS, by default a folder in CARGO_TARGET_DIR, where the components are kept too: the next run is short.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
language=${1:?javascript or python}
cache=${LOGSMITH_GUEST_TOOLS:-${CARGO_TARGET_DIR:-$root/target}/guest-tools}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# Components of the same sources and tools have the same name.
hash=$(find wit plugins/js plugins/python examples/plugins -type f ! -name '*.pyc' -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c -16)
component=$cache/$language-$hash.wasm
partial=$cache/$language-$$.wasm
trap 'rm -f "$partial"' EXIT

# pip_install FOLDER PACKAGE: a Python environment with one package.
pip_install() {
  [ -f "$1/complete" ] && return
  python3 -m venv --clear "$1" >&2
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2" >&2
  touch "$1/complete"
}

build_javascript() {
  local tool=componentize-qjs@0.4.5
  [ -d "$cache/$tool/node_modules" ] || npm install --silent --no-fund --no-audit --prefix "$cache/$tool" "$tool" >&2
  "$cache/$tool/node_modules/.bin/componentize-qjs" --wit wit/0.1.0 --world plugin --module-root . \
    --js examples/plugins/javascript/sales.js --stub-wasi --sync --opt-size -o "$partial" >&2
}

build_python() {
  local tool=componentize-py==0.25.1
  pip_install "$cache/$tool" "$tool"
  "$cache/$tool/bin/componentize-py" -d wit/0.1.0 -w plugin componentize --stub-wasi \
    -p plugins/python -p examples/plugins/python sales -o "$partial" >&2
}

case $language in javascript | python) ;; *) sed -n '2,6p' "$0" >&2; exit 2 ;; esac
if [ ! -f "$component" ]; then
  "build_$language"
  mv "$partial" "$component"
fi
echo "$component"
