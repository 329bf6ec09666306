# Checks one message with pyspf: check.py IP SENDER HELO. It prints the result, and
# the explanation in a second line.
import sys
import spf

result, text = spf.check2(i=sys.argv[1], s=sys.argv[2], h=sys.argv[3])
print(result)
print(text)
