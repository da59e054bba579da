# The stand-in for the clouds' Terraform providers (tests/provider): one program under the
# names of all of them, in a mirror that Terraform and OpenTofu install from.
# Sourced by scripts/lab, after artifacts.sh.
# shellcheck shell=bash

PROVIDER_SOURCES=$REPO/tests/provider
SCHEMAS=$REPO/tests/fixtures/schemas

# test_provider_files: everything that the program is made of, one path a line.
test_provider_files() {
  find "$PROVIDER_SOURCES" "$SCHEMAS" -maxdepth 1 -type f \
    \( -name '*.go' ! -name '*_test.go' -o -name 'go.*' -o -name '*.json' \) | sort
}

lab_test_providers() {
  local target files
  mapfile -t files < <(test_provider_files)
  target=$LAB_HOME/test-providers/$(hash_of "${files[@]}")
  if [ ! -e "$target" ]; then
    need_go "the test provider"
    say "building the test provider (a minute or two at first)"
    build_once test-providers "$target" build_test_providers
  fi
  cli_config_for "$target"
}

build_test_providers() {
  local work=$1 target=$2 registry folder source version
  (cd "$PROVIDER_SOURCES" && go build -mod=readonly -trimpath -ldflags "-s -w" -o "$work/provider" .) &&
    "$work/provider" list >"$work/list" || return
  for registry in registry.terraform.io registry.opentofu.org; do
    while read -r source version; do
      folder=$work/mirror/$registry/$source/$version/$(go env GOOS)_$(go env GOARCH)
      mkdir -p "$folder" &&
        ln "$work/provider" "$folder/terraform-provider-${source##*/}_v$version" || return
    done <"$work/list"
  done
  mv "$work/mirror" "$target"
}
