#!/usr/bin/env python3
"""Writes the corpora of the detectors that come with the program: ID.positive and ID.negative in this folder.

The seed is fixed, so a second run writes the same files. All of it is made up: numbers have right check digits and belong to
nobody. README.md tells of the format.

usage: Tests/Detectors/generate.py
"""
import base64
import json
import pathlib
import random
import string

FOLDER = pathlib.Path(__file__).parent
OPEN, CLOSE, CUT = "\u27e6", "\u27e7", "\u2016"
R = random.Random(20261126)

FIRST = "anna bob carla david emma felix grace henry ines jonas karin lucas maria noah olga paul rosa sven tina uwe".split()
LAST = "smith mueller garcia rossi dubois novak kim tanaka silva jansen oconnor patel nguyen cohen ivanova".split()
HOSTS = "example.com example.org mail.example.net acme.io uni-bonn.de corp.example.co.uk shop.fr dept.gov.au startup.dev xn--mller-kva.de".split()
SAY = ["{}", "contact: {}", "{} called twice", "please use {} from now on", 'value="{}"', "<{}>", "a\tb\t{}\tc", "({})", "see {}, thanks", "{};x"]
WORDS = "order shipped note return quality balance pending review team comment update price account customer status invoice".split()


def mark(text):
    return OPEN + text + CLOSE


def digits(count):
    return "".join(R.choice(string.digits) for _ in range(count))


def letters(count, alphabet=string.ascii_letters + string.digits):
    return "".join(R.choice(alphabet) for _ in range(count))


def cut(text, at=4):
    """Keeps scanners of repositories from taking what is made up for a leak."""
    return text[:at] + CUT + text[at:]


def luhn(body):
    total = 0
    for place, digit in enumerate(reversed(body)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return body + str(-total % 10)


def uuid():
    text = letters(32, "0123456789abcdef")
    return "-".join([text[:8], text[8:12], "4" + text[13:16], "a" + text[17:20], text[20:]])


def stamp():
    return f"20{R.randint(10, 29)}-{R.randint(1, 12):02}-{R.randint(1, 28):02}T{R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02}Z"


def everyday():
    """What is in ordinary data and looks like more than it is."""
    return R.choice([
        lambda: " ".join(R.choice(WORDS) for _ in range(R.randint(3, 9))),
        lambda: f"id {uuid()} at {stamp()}",
        lambda: f"order {digits(R.randint(6, 14))} of {stamp()}",
        lambda: f"sha256:{letters(64, '0123456789abcdef')}",
        lambda: f"commit {letters(40, '0123456789abcdef')} by ci",
        lambda: f"v{R.randint(0, 20)}.{R.randint(0, 40)}.{R.randint(0, 99)}",
        lambda: f"total {R.randint(1, 99999)}.{digits(2)} EUR, {digits(4)} items",
        lambda: f"{R.randint(1500000000, 1900000000)}{digits(3)}",
        lambda: f"lat {R.randint(-90, 90)}.{digits(6)}, lon {R.randint(-180, 180)}.{digits(6)}",
        lambda: f"etag W/\"{letters(27)}\"",
        lambda: f"{R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02}.{digits(3)} GET /api/v2/items/{digits(5)} 200",
    ])()


def email():
    local = R.choice([
        lambda: f"{R.choice(FIRST)}.{R.choice(LAST)}", lambda: f"{R.choice(FIRST)}{digits(2)}", lambda: f"{R.choice(FIRST)}+{R.choice(WORDS)}",
        lambda: f"{R.choice(FIRST)[0]}_{R.choice(LAST)}", lambda: R.choice(LAST).title() + "." + R.choice(FIRST).title(),
        lambda: "o'" + R.choice(LAST), lambda: "m\u00fcller." + R.choice(FIRST),
    ])()
    return f"{local}@{R.choice(HOSTS)}"


def card():
    prefix, length = R.choice([("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14), ("3530", 16), ("6221", 16)])
    number = luhn(prefix + digits(length - 1 - len(prefix)))
    shape = R.choice(["plain", "space", "dash"])
    if shape == "plain" or length == 14:
        return number, True
    separator = {"space": " ", "dash": "-"}[shape]
    cuts = [4, 10] if length == 15 else [4, 8, 12]
    parts, last = [], 0
    for place in cuts + [length]:
        parts.append(number[last:place])
        last = place
    return separator.join(parts), False


def wrong_luhn():
    number = luhn("4" + digits(14))
    return number[:-1] + str((int(number[-1]) + R.randint(1, 9)) % 10)


def ssn():
    area = R.choice([R.randint(1, 665), R.randint(667, 899)])
    return f"{area:03}-{R.randint(1, 99):02}-{R.randint(1, 9999):04}"


def iban():
    country, length, shape = R.choice([("DE", 22, "n"), ("GB", 22, "gb"), ("FR", 27, "n"), ("NL", 18, "gb"), ("ES", 24, "n"), ("CH", 21, "n"), ("AT", 20, "n"), ("BE", 16, "n"), ("NO", 15, "n")])
    body = (letters(4, string.ascii_uppercase) if shape == "gb" else "") + digits(length - 4 - (4 if shape == "gb" else 0))
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    text = f"{country}{98 - number % 97:02}{body}"
    if R.random() < 0.5:
        text = " ".join(text[place : place + 4] for place in range(0, len(text), 4))
    return text


def bad_iban():
    text = iban()
    for place in range(5, len(text)):
        if text[place].isdigit():
            return text[:place] + str((int(text[place]) + R.randint(1, 8)) % 10) + text[place + 1 :]
    return text


def nanp():
    return [f"{R.randint(2, 9)}{R.randint(2, 9)}{R.randint(0, 9)}", f"{R.randint(2, 9)}{R.randint(2, 9)}{R.randint(0, 9)}", digits(4)]


def phone():
    a, b, c = nanp()
    return R.choice([
        lambda: (f"+{R.choice([1, 44, 49, 33, 39, 81, 91])}{R.randint(2, 9)}{digits(R.randint(7, 9))}", False),
        lambda: (f"+44 20 {R.randint(2, 9)}{digits(3)} {digits(4)}", False),
        lambda: (f"+49 {R.randint(2, 9)}{digits(2)} {digits(7)}", False),
        lambda: (f"+33 {R.randint(1, 7)} {digits(2)} {digits(2)} {digits(2)} {digits(2)}", False),
        lambda: (f"({a}) {b}-{c}", False),
        lambda: (f"{a}-{b}-{c}", False),
        lambda: (f"{a}.{b}.{c}", False),
        lambda: (f"+1 ({a}) {b}-{c}", False),
        lambda: (f"0{R.randint(2, 9)}{digits(2)} {digits(7)}", True),
        lambda: (f"0{R.randint(2, 9)}{digits(9)}", True),
    ])()


def jwt():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")

    return ".".join([part({"alg": R.choice(["RS256", "ES256", "HS256"]), "typ": "JWT"}), part({"sub": R.choice(FIRST), "exp": R.randint(10**9, 2 * 10**9)}), letters(43)])


def pem(kind):
    body = base64.b64encode(R.randbytes(R.choice([121, 320, 1190]))).decode()
    lines = "\\n".join(body[place : place + 64] for place in range(0, len(body), 64))
    return f"-----BEGIN {kind}-----\\n{lines}\\n-----END {kind}-----"


def secret(length, alphabet=string.ascii_letters + string.digits):
    """Random, with letters of both cases and digits."""
    return "aZ3" + letters(length - 3, alphabet)


def hexadecimal(count):
    return letters(count, "0123456789abcdef")


def ipv4():
    while True:
        parts = [R.choice([10, 172, 192, 203, 198, 85, 91, 185]), R.randint(30, 255), R.randint(0, 255), R.randint(1, 254)]
        return ".".join(map(str, parts))


def ipv6():
    return R.choice([
        lambda: "2001:db8:" + ":".join(hexadecimal(R.randint(1, 4)) for _ in range(6)),
        lambda: f"2001:db8::{hexadecimal(4)}:{hexadecimal(4)}", lambda: f"fe80::{R.randint(1, 9)}{hexadecimal(3)}:{hexadecimal(4)}:{hexadecimal(4)}:{hexadecimal(4)}",
        lambda: f"2a02:{hexadecimal(4)}:{hexadecimal(4)}::{R.randint(1, 9)}",
    ])()


def say(text):
    return R.choice(SAY).format(mark(text))


def corpora():
    n = 120
    yield "email", [say(email()) for _ in range(n)], [everyday() for _ in range(60)] + [
        R.choice(["npm install left-pad@{}", "icon@{}x.png", "@{}", "git@github.com:acme/repo{}.git", "a @ {} each", "user@localhost{}", "meet @ {} pm", "react@{}.2.0-beta", "getty@tty{}.service", "java.lang.Object@{}"]).format(R.randint(1, 9)) for _ in range(60)]

    def card_line():
        number, plain = card()
        return R.choice(["card {}", "paid with {} today", "pan={}", "cc {} exp 12/29", "{}"]).format(mark(number))

    yield "card", [card_line() for _ in range(n)], [everyday() for _ in range(40)] + [
        R.choice([
            lambda: f"order {luhn('4' + digits(14))}", lambda: f"tracking number {luhn('5' + digits(14))}", lambda: f"card {wrong_luhn()}", lambda: wrong_luhn(),
            lambda: f"card {luhn('9' + digits(14))}", lambda: f"{uuid()}", lambda: f"{luhn('4' + digits(14))}.{digits(3)}", lambda: f"timestamp {R.randint(15, 19)}{digits(14)}",
            lambda: "card 4444 4444 4444 4444", lambda: f"{hexadecimal(8)}{luhn('4' + digits(14))}{hexadecimal(8)}f", lambda: f"invoice 4{digits(11)}",
        ])() for _ in range(80)]

    def ssn_line():
        text = ssn()
        return R.choice([
            lambda: say(text), lambda: "SSN: " + mark(text), lambda: "ssn " + mark(text.replace("-", "")), lambda: "social security number " + mark(text.replace("-", "")),
            lambda: "ssn=" + mark(text.replace("-", " ")), lambda: "taxpayer " + mark(text),
        ])()

    yield "us-ssn", [ssn_line() for _ in range(n)], [everyday() for _ in range(40)] + [
        R.choice([
            lambda: f"SSN 000-{digits(2)}-{digits(4)}", lambda: f"ssn: 666-{digits(2)}-{digits(4)}", lambda: f"SSN 9{digits(2)}-{digits(2)}-{digits(4)}", lambda: f"{digits(3)}-00-{digits(4)}",
            lambda: f"{digits(3)}-{digits(2)}-0000", lambda: f"order {digits(9)}", lambda: digits(9), lambda: f"{digits(4)}-{digits(2)}-{digits(2)}", lambda: f"part {digits(3)}-{digits(2)}-{digits(4)}-{digits(2)}",
            lambda: f"order {digits(3)}-{digits(2)}-{digits(4)}", lambda: f"A{digits(3)}-{digits(2)}-{digits(4)}", lambda: "example 078-05-1120", lambda: f"{digits(3)} {digits(2)} {digits(4)} units",
        ])() for _ in range(80)]

    yield "iban", [R.choice([say, lambda t: "IBAN " + mark(t), lambda t: mark(t) + " EUR 12"])(iban()) for _ in range(n)], [everyday() for _ in range(40)] + [
        R.choice([bad_iban, lambda: "IBAN " + bad_iban(), lambda: f"ZZ{digits(20)}", lambda: f"SKU AB12 {letters(4, string.ascii_uppercase)} {digits(4)} {digits(4)} {digits(3)}", lambda: f"GB{digits(2)}", lambda: f"DE{digits(12)}"])() for _ in range(80)]

    def phone_line():
        text, needs_word = phone()
        if needs_word:
            return R.choice(["Tel. {}", "phone: {}", "mobile {}", "fax {}", "call {} now"]).format(mark(text))
        return R.choice(["{}", "phone {}", "reach me at {} please", "tel:{}", "mobile={}"]).format(mark(text))

    yield "phone", [phone_line() for _ in range(n)], [everyday() for _ in range(50)] + [
        R.choice([
            lambda: f"order {'-'.join(nanp())}", lambda: digits(10), lambda: f"{digits(4)}-{digits(2)}-{digits(2)}", lambda: ipv4(), lambda: f"isbn 978-{digits(1)}-{digits(4)}-{digits(4)}-{digits(1)}",
            lambda: f"+{R.randint(1, 9)} points", lambda: f"{R.randint(1, 9)}+{digits(3)}", lambda: f"1{'-'.join(['00', '000', '0000'])}", lambda: stamp(), lambda: f"{digits(3)}-{digits(2)}-{digits(4)}",
            lambda: f"v{digits(3)}.{digits(3)}.{digits(4)}", lambda: f"0{digits(6)}", lambda: f"+0{digits(9)}",
        ])() for _ in range(70)]

    yield "ipv4", [R.choice([say, lambda t: f"from {mark(t)} port {R.randint(1024, 65535)}", lambda t: f"http://{mark(t)}:{R.randint(80, 9999)}/x", lambda t: mark(t) + "/24"])(ipv4()) for _ in range(n)], [everyday() for _ in range(40)] + [
        R.choice([
            lambda: f"version {R.randint(0, 29)}.{R.randint(0, 29)}.{R.randint(0, 29)}.{R.randint(0, 29)}", lambda: f"v{ipv4()}", lambda: f"release {ipv4()}", lambda: f"{R.randint(256, 999)}.{digits(2)}.{digits(2)}.{digits(2)}",
            lambda: "127.0.0.1", lambda: "0.0.0.0:8080", lambda: "255.255.255.0", lambda: f"oid 1.3.6.1.4.1.{digits(4)}", lambda: f"{R.randint(1, 9)}.{R.randint(1, 9)}.{R.randint(1, 9)}.{R.randint(1, 9)}", lambda: f"1.2.3.4-rc{R.randint(1, 9)}", lambda: f"section {R.randint(1, 9)}.{R.randint(1, 20)}.{R.randint(1, 9)}.{R.randint(30, 60)}",
        ])() for _ in range(80)]
    yield "ipv6", [R.choice([say, lambda t: f"client [{mark(t)}]:443", lambda t: mark(t) + "/64"])(ipv6()) for _ in range(n)], [everyday() for _ in range(40)] + [
        R.choice([lambda: "::1", lambda: f"{R.randint(0, 23):02}:{digits(2)}:{digits(2)}", lambda: ":".join(hexadecimal(2) for _ in range(6)), lambda: "std::vector<int>::iterator", lambda: "ab::cd", lambda: f"{digits(1)}::int4", lambda: "public.orders::regclass", lambda: ":".join(hexadecimal(4) for _ in range(9)), lambda: "Foo::Bar::baz"])() for _ in range(80)]

    yield "jwt", [R.choice([say, lambda t: "Authorization: Bearer " + mark(t)])(cut(jwt(), 3)) for _ in range(60)], [everyday() for _ in range(20)] + [
        R.choice([lambda: f"{letters(20)}.{letters(30)}.{letters(43)}", lambda: cut(f"eyJ{letters(30)}.{letters(20)}.{letters(20)}", 3), lambda: base64.b64encode(json.dumps({"a": digits(30)}).encode()).decode(), lambda: "eyJhbGciOiJSUzI1NiJ9 alone"])() for _ in range(40)]

    upper = string.ascii_uppercase + "234567"
    yield "aws-access-key", [say(cut(R.choice(["AKIA", "ASIA"]) + letters(16, upper))) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: cut("AKIA" + letters(15, upper)), lambda: cut("AKIA" + letters(20, upper)), lambda: cut("AKIA" + letters(16, string.ascii_lowercase)), lambda: "SLOVAKIA" + letters(12, upper), lambda: letters(20, upper)])() for _ in range(40)]

    def aws_secret():
        key = mark(secret(20) + CUT + letters(20))
        return R.choice(['aws_secret_access_key = {}', '"SecretAccessKey": "{}"', "AWS_SECRET_ACCESS_KEY={}", "secret_key: {}", "aws secret: {}"]).format(key)

    yield "aws-secret-key", [aws_secret() for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: hexadecimal(40), lambda: "secret_key: " + hexadecimal(40), lambda: secret(40), lambda: "secret key: none", lambda: "aws_secret_access_key = ${AWS_SECRET}", lambda: "aws secret " + secret(44)])() for _ in range(40)]
    yield "gcp-api-key", [say(cut("AIza" + secret(35))) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: cut("AIza" + secret(34)), lambda: cut("AIza" + secret(36)), lambda: "x" + cut("AIza" + secret(35)), lambda: secret(39)])() for _ in range(40)]
    yield "gcp-service-account", [R.choice(['"type": "service_account", "private_key_id": "{}", ', '{{"private_key_id":"{}"}}', '{{\\"private_key_id\\": \\"{}\\"}}']).format(mark(hexadecimal(40))) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: f'"key_id": "{hexadecimal(40)}"', lambda: f'"private_key_id": "{hexadecimal(12)}"', lambda: '"private_key_id": null', lambda: hexadecimal(40)])() for _ in range(40)]
    yield "azure-storage-key", [R.choice(["DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x", "storage_key: {}", '"accountKey":"{}"']).format(mark(secret(43) + CUT + letters(43) + "==")) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: secret(86) + "==", lambda: "AccountKey=" + secret(40) + "==", lambda: "AccountKey=<your key>", lambda: "integrity sha512-" + secret(86) + "=="])() for _ in range(40)]
    yield "github-token", [say(R.choice([lambda: cut(R.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + letters(36)), lambda: cut("github_pat_" + letters(22) + "_" + letters(59), 7)])()) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: cut("ghp_" + letters(20)), lambda: "ghx_" + letters(36), lambda: "high_" + letters(36), lambda: "github_pattern_" + letters(22), lambda: "x" + cut("ghp_" + letters(36))])() for _ in range(40)]
    yield "gitlab-token", [say(cut(R.choice(["glpat-", "gldt-", "glrt-"]) + letters(20))) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: cut("glpat-" + letters(12)), lambda: "glpot-" + letters(20), lambda: "xglpat" + letters(20), lambda: "gl-" + letters(24)])() for _ in range(40)]
    yield "slack-token", [R.choice([lambda: say(cut(R.choice(["xoxb-", "xoxp-", "xoxa-"]) + digits(11) + "-" + digits(12) + "-" + letters(24))), lambda: "https://hooks.slack.com/services/" + mark("T" + CUT + letters(8, upper) + "/B" + letters(8, upper) + "/" + letters(24))])() for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: "xoxo-love-and-kisses-" + R.choice(FIRST), lambda: "hooks.slack.com/" + R.choice(WORDS), lambda: "https://hooks.slack.com/services/", lambda: "xoxb-", lambda: "xoxb-your-token-here", lambda: "foxoxb-" + digits(11)])() for _ in range(40)]
    yield "stripe-key", [say(cut(R.choice(["sk_live_", "sk_test_", "rk_live_", "whsec_"]) + letters(R.choice([24, 32])))) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: cut("pk_live_" + letters(24)), lambda: cut("sk_live_" + letters(8)), lambda: "task_live_" + letters(24), lambda: "sk_prod_" + letters(24)])() for _ in range(40)]
    yield "llm-key", [say(R.choice([lambda: cut("sk-ant-api03-" + secret(93)), lambda: cut("sk-proj-" + secret(48)), lambda: cut("sk-" + secret(20) + "T3BlbkFJ" + letters(20), 8)])()) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: "sk-" + letters(16), lambda: "sk-ant-" + "a" * 40, lambda: "task-proj-" + secret(40), lambda: "sk-SK Slovakia", lambda: "risk-antonym-" + letters(10)])() for _ in range(40)]

    kinds = ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
    yield "private-key", [R.choice(["{}", "key: {}\\nrest", 'json "{}",']).format(mark(cut(pem(R.choice(kinds)), 8))) for _ in range(40)], [everyday() for _ in range(20)] + [
        R.choice([lambda: pem("CERTIFICATE"), lambda: pem("PUBLIC KEY"), lambda: "-----BEGIN " + CUT + "PRIVATE KEY-----", lambda: "-----BEGIN PGP MESSAGE-----", lambda: "begin private key " + digits(3), lambda: pem("CERTIFICATE REQUEST")])() for _ in range(40)]
    yield "url-password", [R.choice([
        lambda: f"postgres://{R.choice(FIRST)}:{mark(secret(12))}@db.example.com/orders", lambda: f"https://{R.choice(FIRST)}:{mark(secret(20))}@example.com/x.git", lambda: f"amqp://guest:{mark('guest')}@10.0.0.1:5672",
        lambda: f"redis://:{mark(secret(16))}@cache:6379", lambda: f"https://api.example.com/v1?x=1&api_key={mark(secret(24))}&y=2", lambda: f"https://a.example/?token={mark(secret(30))}", lambda: f"mongodb+srv://app:{mark('p%40ss' + letters(6))}@cluster0.example.net",
    ])() for _ in range(60)], [everyday() for _ in range(20)] + [
        R.choice([lambda: "https://example.com:8080/@scope/package", lambda: f"postgres://user@db.example.com:5432/orders{digits(2)}", lambda: "https://" + R.choice(FIRST) + ":${PASSWORD}@example.com", lambda: "http://a.example/x?y=1&tokenizer=2", lambda: "postgres://app:****@db/orders", lambda: f"see http://a.example:80 and mail x@y.example", lambda: "ftp://user:{password}@host"])() for _ in range(40)]


def main():
    for name, positive, negative in corpora():
        for kind, lines in (("positive", positive), ("negative", negative)):
            (FOLDER / f"{name}.{kind}").write_text("".join(line + "\n" for line in dict.fromkeys(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
