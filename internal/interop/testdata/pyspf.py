"""Checks messages with pyspf.

    pyspf.py ADDRESS PORT    ask the resolver there
    pyspf.py --version

Messages come as JSON objects, one a line; [result, explanation] goes out for
each, the name of the exception as result when there was one."""

import json
import sys

import spf

# pyspf takes dnspython where it is installed, and else py3dns.
dnspython = "dns" in vars(spf)
if dnspython:
    import dns.name
    import dns.resolver
    import dns.version
else:
    import DNS

if sys.argv[1] == "--version":
    print(spf.__version__, "with", "dnspython " + dns.version.version if dnspython else "py3dns " + DNS.__version__)
    sys.exit()

address, port = sys.argv[1], int(sys.argv[2])
if dnspython:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.domain = [address], port, dns.name.root
    dns.resolver.default_resolver = resolver
else:
    DNS.defaults["server"], DNS.defaults["port"] = [address], port

for line in sys.stdin:
    message = json.loads(line)
    try:
        answer = spf.check2(i=message["IP"], s=message["Sender"], h=message["HELO"])
    except Exception as e:
        answer = type(e).__name__, ""
    print(json.dumps(answer), flush=True)
