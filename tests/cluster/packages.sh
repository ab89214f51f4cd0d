#!/bin/sh
# Builds Versity's S3 gateway, a real S3-compatible server, which tests of a lake in an object store start. Called by
# `make object-store`; where there is no Go it says so, and those tests are skipped.
set -eu
target=$1
version=v1.8.0
[ -e "$target/versitygw-$version" ] && exit 0
PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
    echo "tests of object stores are skipped without Go 1.25 or newer" >&2
    exit 0
fi
echo "tests: building Versity's S3 gateway $version"
GOBIN=$(cd "$target" && pwd) go install "github.com/versity/versitygw/cmd/versitygw@$version"
mv "$target/versitygw" "$target/versitygw-$version"
