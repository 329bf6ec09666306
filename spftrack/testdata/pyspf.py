"""Runs pyspf over checks, a JSON object a line, and prints for each the SPF
result and the queries asked. No query leaves the process: the record is
given, and every other answer is empty."""
import json
import sys

import spf


def check(c):
    asked = []

    def lookup(name, qtype, tcpfallback=True, timeout=30):
        asked.append([name, qtype])
        if name == c["domain"].lower() and qtype == "TXT":
            return [((name, qtype), [c["record"].encode()])]
        return []

    spf.DNSLookup = lookup
    try:
        result = spf.check2(i=c["ip"], s=c["sender"], h=c["helo"])[0]
    except Exception as e:
        result = "exception: " + repr(e)
    return {"result": result, "asked": asked}


for line in sys.stdin:
    print(json.dumps(check(json.loads(line))), flush=True)
