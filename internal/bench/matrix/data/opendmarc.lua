-- Sends one message to the milter and prints the header field that it adds.
mt.set_timeout(140)
c = mt.connect(socket, 50, 0.1)
if c == nil then error("no milter at " .. socket) end
mt.conninfo(c, "client.example.org", ip)
mt.macro(c, SMFIC_MAIL, "i", "ABCDEF")
mt.helo(c, helo)
mt.mailfrom(c, "<" .. sender .. ">")
mt.rcptto(c, "<a@example.net>")
mt.header(c, "From", "<" .. sender .. ">")
mt.header(c, "To", "<a@example.net>")
mt.header(c, "Date", "Fri, 20 Nov 2026 12:00:00 +0000")
mt.header(c, "Message-ID", "<x@" .. domain .. ">")
mt.header(c, "Subject", "x")
mt.eoh(c)
mt.eom(c)
for i = 0, 9 do
  local value = mt.getheader(c, "Authentication-Results", i)
  if value == nil then break end
  print(value)
end
mt.disconnect(c)
