#!/usr/bin/env bash
# Haraka's SPF check (npm haraka-plugin-spf 1.3.0) calls a record a permanent error
# when its exp= holds a macro.
#
# Expected: "v=spf1 mx -all exp=explain._spf.%{d}", an example of RFC 7208 section
#           6.2, is Fail for a client that does not match: exp= never changes a
#           result.
# Seen:     PermError; Fail when exp= is a plain name.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit haraka-plugin-spf@1.3.0 || exit 2
cat >check.js <<'END'
const { SPF } = require("haraka-plugin-spf/lib/spf.js");
const none = () => Promise.reject(Object.assign(new Error("no records"), { code: "ENODATA" }));
async function check(record) {
  const spf = new SPF();
  spf.resolver = new Proxy({}, { get: (_, call) => (name) =>
    call === "resolveTxt" && name === "example.test" ? Promise.resolve([[record]]) : none() });
  const result = await spf.check_host("203.0.113.7", "example.test", "user@example.test");
  return spf.const_translate(result);
}
(async () => {
  const plain = await check("v=spf1 mx -all exp=explain._spf.example.test");
  const macro = await check("v=spf1 mx -all exp=explain._spf.%{d}");
  require("node:fs").writeFileSync("results", `${plain} ${macro}\n`);
})();
END
node check.js >log 2>&1
read -r plain macro <results

echo "haraka-plugin-spf 1.3.0"
echo "expected: SPF_FAIL with exp=explain._spf.example.test and with exp=explain._spf.%{d}"
echo "seen:     $plain, $macro"
[ "$plain" = SPF_FAIL ] && [ "$macro" = SPF_PERMERROR ]
