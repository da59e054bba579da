// Builds actionlint, which checks the recipes for GitHub.
module exasol.ci/actionlint

go 1.26

require github.com/rhysd/actionlint v1.7.12
