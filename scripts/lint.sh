#!/usr/bin/env bash
# Checks style and spelling; changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/.venv/bin:$PATH

failed=()
ruff check . || failed+=("ruff check")
ruff format --check . || failed+=("ruff format")
find src \( -name '*.hpp' -o -name '*.cpp' \) -exec clang-format --dry-run -Werror {} + || failed+=(clang-format)
codespell || failed+=(codespell)

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
