# From the configuration of "nullspf init" to that of an installed site, where
# nullspfd reads what nullspf writes.
s|^output: build$|output: /var/lib/nullspf/build|
s|^journals: \[var\]$|journals: [/var/lib/nullspf/var]|
s|^servers: \[bind\]$|servers: [nullspfd]|
s|^# \(nullspfd: {control: /run/nullspf/control.sock}\)$|\1|
