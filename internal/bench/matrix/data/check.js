// Checks one message with one of the SPF libraries of package.json:
//   node check.js LIBRARY IP SENDER HELO
// It prints the result, and the explanation in a second line.
const [library, ip, sender, helo] = process.argv.slice(2);
const domain = sender.slice(sender.lastIndexOf("@") + 1);
console.debug = console.info = console.log = () => {};
const checks = {
  async mailauth(name) {
    const { spf } = require(`${name}/lib/spf`);
    const { status } = await spf({ sender, ip, helo, mta: "mx.example.net" });
    return [status.result, status.comment];
  },
  async haraka() {
    const { SPF } = require("haraka-plugin-spf/lib/spf.js");
    const spf = new SPF();
    spf.log_debug = () => {};
    spf.helo = helo;
    return [spf.result(await spf.check_host(ip, domain, sender))];
  },
  async "spf-check"() {
    const { SPF } = require("spf-check");
    const result = await new SPF(domain, sender).check(ip);
    return [result.result, result.message];
  },
};
checks.mailauth4 = () => checks.mailauth("mailauth4");
checks.mailauth7 = () => checks.mailauth("mailauth");
checks[library]().then(([result, text]) => {
  process.stdout.write(`${result}\n${text ?? ""}\n`, () => process.exit(0));
}, (err) => { console.error(err); process.exit(1); });
