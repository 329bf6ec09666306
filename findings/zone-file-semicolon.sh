#!/usr/bin/env bash
# The npm packages zone-file 1.0.0 and @fungible-systems/zone-file 2.0.0 take a
# semicolon inside a quoted string of a zone file for the start of a comment.
#
# Expected: "v=DMARC1; p=reject" is one string (RFC 1035 section 5.1: quotes).
# Seen:     the TXT record ends before the semicolon, without an error.
# Matters:  to whoever reads DMARC and DKIM records out of zone files.
set -euo pipefail
packages=(zone-file@1.0.0 @fungible-systems/zone-file@2.0.0)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit "${packages[@]}" || exit 2
cat >read.js <<'END'
const text = `$ORIGIN example.test.
$TTL 3600
_dmarc IN TXT "v=DMARC1; p=reject"
`;
const record = require(process.argv[2]).parseZoneFile(text).txt[0];
console.log([].concat(record.txt).join(""));
END
same=0
for package in "${packages[@]}"; do
    seen=$(node read.js "${package%@*}")
    echo "$package"
    echo "expected: v=DMARC1; p=reject"
    echo "seen:     $seen"
    [ "$seen" = v=DMARC1 ] || same=1
done
exit $same
