// Builds nfpm, which makes the .deb and the .rpm.
module exasol.packaging/nfpm

go 1.26.4

require github.com/goreleaser/nfpm/v2 v2.45.2
