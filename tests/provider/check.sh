#!/usr/bin/env bash
# Checks the stand-in for the clouds' Terraform providers: format, vet, its Go tests, and two
# nodes of every cloud through a whole life under the real Terraform (or OpenTofu).
set -euo pipefail
cd "$(dirname "$0")"

unformatted=$(gofmt -l . ../fixtures/schemas)
if [ -n "$unformatted" ]; then
  printf 'not formatted: %s\n' "$unformatted" >&2
  exit 1
fi
go vet ./...
go test ./...
cd ../clouds
python3 -B -m unittest test_secrets_scan test_provider
