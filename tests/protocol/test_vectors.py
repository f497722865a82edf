"""The vectors by themselves: complete, well formed, and in agreement with the schema. Codec and handshake run them."""

import json
from typing import Any

import pytest

from broker.codes import Close, Code
from broker.config.desk import load_desk
from broker.identity.secrets import Secrets
from broker.identity.tokens import Signer
from broker.protocol.check import ROLES, WRITES, BadArgs, NoSuchOp, parse
from broker.protocol.codec import BROKER, CLIENT, decode, pack
from broker.protocol.errors import RemoteProtocolError
from broker.protocol.frames import Unknown
from tests.protocol import agreement
from tests.protocol.samples import tables
from tests.protocol.vectors import FOLDER, LIMITS, raw, read, real, sessions
from tests.support.builders import stream_kind

TABLES = tables()
SCRIPTS = [json.loads(path.read_text(encoding="utf-8")) for path in sessions()]
every_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script["name"])
STEPS = {
    "open",
    "send",
    "send_all",
    "send_bytes",
    "send_text",
    "expect",
    "expect_all",
    "expect_close",
    "close",
    "cut",
    "let",
}
SENT = {"$bin", "$var", "$plus", "$unique", "$now", "$repeat", "$token", "$join"}
MATCHED = {
    "$bin",
    "$any",
    "$type",
    "$capture",
    "$var",
    "$plus",
    "$prefix",
    "$min",
    "$max",
    "$one_of",
    "$absent",
    "like",
}
TOKEN = {"person", "role", "life_ms", "portal", "account", "key"}


# --- frames --------------------------------------------------------------------------------------


def test_every_kind_and_every_field_has_a_vector() -> None:
    assert agreement.of_vectors(TABLES, read("frames.json"), read("refused.json")) == []


def test_a_kind_or_field_without_a_vector_is_noticed() -> None:
    frames, refused = read("frames.json"), read("refused.json")
    described = tables()
    described["frames"]["gap"]["fields"].append({"name": "later", "type": "int"})
    assert agreement.of_vectors(described, frames, refused) != []

    described = tables()
    described["frames"]["later"] = {"kind": 99, "from": "client", "fields": []}
    assert agreement.of_vectors(described, frames, refused) != []

    fewer = {"frames": [vector for vector in frames["frames"] if vector["kind"] != "pong"]}
    assert agreement.of_vectors(TABLES, fewer, refused) != []

    turned = {"frames": [{**vector, "from": "broker"} for vector in frames["frames"]]}
    assert agreement.of_vectors(TABLES, turned, refused) != []


def test_every_vector_has_several_encodings_and_its_own_name() -> None:
    vectors = read("frames.json")["frames"]
    assert all(len(set(vector["encodings"])) == len(vector["encodings"]) >= 3 for vector in vectors)
    assert len({vector["name"] for vector in vectors}) == len(vectors)


def test_every_refusal_has_its_own_name_a_code_and_a_reason() -> None:
    vectors = read("refused.json")["refused"]
    assert len({vector["name"] for vector in vectors}) == len(vectors)
    for vector in vectors:
        assert set(vector) == {"name", "limits", "bytes", "code", "says", "why"}
        assert vector["limits"] in LIMITS
        assert Close(vector["code"])
        assert vector["why"]


# --- the account under test ----------------------------------------------------------------------


def test_the_desk_is_one_a_broker_takes() -> None:
    puts = load_desk(FOLDER / "desk.toml")
    portals = [put.args for put in puts if put.op == "portal.put"]
    kinds = set(TABLES["ops"]["portal.put"]["args"]["kind"]["values"])
    modes = set(TABLES["ops"]["portal.put"]["args"]["mode"]["values"])
    assert {portal["kind"] for portal in portals} == kinds
    assert {portal["mode"] for portal in portals} == modes
    assert sum(put.op == "team.put" for put in puts) == 2
    assert [put.args["representative"] for put in puts if put.op == "representative.put"] == ["ann", "bo", "cy"]


def test_the_tokens_are_what_this_broker_signs() -> None:
    given = read("conformance.json")
    secrets = Secrets(bytes.fromhex(given["secret_key"]))
    assert secrets.token_key.hex() == given["token_key"]
    signer = Signer(secrets.token_key)
    for token in given["tokens"]:
        portal = token.get("portal")
        made = signer.mint(token["account"], token["person"], token["role"], token["expires"], portal)
        assert made == token["token"]


def test_the_readme_tells_of_every_file_step_and_placeholder() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in FOLDER.iterdir():
        assert path.name in readme or path.name == "README.md"
    for step in STEPS:
        assert f'{{"{step}":' in readme
    for word in SENT | MATCHED | TOKEN:
        assert f'"{word}"' in readme


# --- session scripts -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", sessions(), ids=lambda path: path.stem)
def test_a_scripts_name_is_its_files(path: Any) -> None:
    script = json.loads(path.read_text(encoding="utf-8"))
    assert set(script) == {"name", "about", "steps"}
    assert script["name"] == path.stem
    assert script["about"].endswith(".")


BEYOND = {"request.create": "args.fields", "auth.refresh": "args"}
"""Arguments whose rules the schema can't say: a portal's own form, exactly one of two."""


def beyond(op: str, path: str) -> bool:
    """Whether more than the schema decides about the argument at this path."""
    return op in BEYOND and path.startswith(BEYOND[op])


class Reader:
    """Reads a script as a runner would, with a made-up value for every variable; collects what is wrong with it."""

    def __init__(self, script: Any) -> None:
        self.variables: dict[str, Any] = {}
        self.faults: list[str] = []
        self.illegal: list[str] = []
        self.open: set[str] = set()
        self.asked: dict[tuple[str, int], tuple[Any, ...]] = {}
        """(connection, id) to the request last sent under it."""
        for number, step in enumerate(script["steps"]):
            self.where = f"step {number}"
            self.step(step)

    def wrong(self, text: str) -> None:
        self.faults.append(f"{self.where}: {text}")

    def step(self, step: Any) -> None:
        on = step.get("on", "a")
        kinds = step.keys() - {"on"}
        if len(kinds) != 1 or not kinds <= STEPS:
            return self.wrong(f"not one known step: {sorted(kinds)}")
        (kind,) = kinds
        body = step[kind]
        if kind == "let":
            self.variables.update({name: self.value(value) for name, value in body.items()})
        elif kind == "open":
            self.open.add(on)
        elif on not in self.open:
            self.wrong(f"{on} is not open")
        elif kind in ("close", "cut", "expect_close"):
            self.open.discard(on)
        elif kind == "send_bytes":
            raw(body)
        elif kind in ("send", "send_all"):
            for frame in [body] if kind == "send" else body:
                self.sent(on, self.value(frame))
        elif kind in ("expect", "expect_all"):
            for pattern in [body] if kind == "expect" else body:
                self.expected(on, pattern)
        return None

    def value(self, value: Any) -> Any:
        """What is sent for a value."""
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict) or not any(key.startswith("$") for key in value):
            return {k: self.value(v) for k, v in value.items()} if isinstance(value, dict) else value
        (word,) = value
        if word not in SENT:
            self.wrong(f"unknown placeholder {word}")
        match word, value[word]:
            case "$var", name:
                return self.variable(name)
            case "$plus", [name, more]:
                return self.variable(name) + more
            case "$bin", text:
                return bytes.fromhex(text)
            case "$repeat", [text, times]:
                return text * times
            case "$join", parts:
                return "".join(str(self.value(part)) for part in parts)
            case "$now", more:
                return 1_700_000_000_000 + more
            case "$token", claims:
                if not {"person", "role"} <= set(claims) <= TOKEN:
                    self.wrong("a token of other claims")
                return "v1.e30.c2ln"
            case _, prefix:
                return f"{prefix}0123456789abcdef"

    def variable(self, name: str) -> Any:
        if name not in self.variables:
            self.wrong(f"{name} was never set")
        return self.variables.get(name, 0)

    def sent(self, on: str, frame: list[Any]) -> None:
        """A frame that goes out: kept, so that its answer can be looked at."""
        try:
            decode(pack(Unknown(frame[0], frame[1:])), CLIENT)
        except RemoteProtocolError as exc:
            self.illegal.append(exc.text)
        if frame[0] == 16:
            self.asked[on, frame[1]] = tuple(frame)

    def expected(self, on: str, pattern: Any) -> None:
        self.pattern(pattern, 0)
        described = next((f for f in TABLES["frames"].values() if f["kind"] == pattern[0]), None)
        if described is None or described["from"] == "client" or len(pattern) > len(described["fields"]) + 1:
            return self.wrong("no frame of the broker")
        if pattern[0] == 17:
            self.result(self.asked[on, pattern[1]], pattern)
        elif pattern[0] == 18 and pattern[1]:
            self.fail(self.asked[on, pattern[1]], pattern)
        elif pattern[0] == 32:
            fields = TABLES["events"][pattern[3]]
            stream = self.value(pattern[1])
            if not set(pattern[5]) <= set(fields["data"]) or stream_kind(stream) not in fields["streams"]:
                self.wrong("an event with other data, or of another stream")
        elif pattern[0] == 2:
            Close(pattern[1]) if isinstance(pattern[1], int) else None
        return None

    def result(self, asked: tuple[Any, ...], pattern: Any) -> None:
        _, _, op, args, *rest = asked
        parse(op, args)
        if op in WRITES and not (rest and rest[0]):
            self.wrong("a RESULT of a writing op without a key")
        if len(pattern) > 2 and not set(pattern[2]) <= {*TABLES["ops"][op]["result"], "replayed"}:
            self.wrong("a RESULT of other fields")

    def fail(self, asked: tuple[Any, ...], pattern: Any) -> None:
        """A refusal that the schema alone decides is the one expected."""
        _, _, op, args, *_ = asked
        code = pattern[2]
        try:
            parse(op, args)
        except NoSuchOp:
            if code != Code.NO_SUCH:
                self.wrong(f"{op}: {code}")
            return
        except BadArgs as bad:
            if code != Code.BAD_ARGS or pattern[5]["path"] != bad.path:
                self.wrong(f"{op}: {code} instead of {bad.path}")
            return
        if code == Code.BAD_ARGS and not (pattern[5]["path"] == "key" or beyond(op, pattern[5]["path"])):
            self.wrong(f"{op}: its arguments are good")
        assert ROLES[op]

    def pattern(self, pattern: Any, depth: int) -> None:
        """Known words only; captures become variables."""
        if isinstance(pattern, list):
            for item in pattern:
                self.pattern(item, depth + 1)
        elif isinstance(pattern, dict):
            words = {key for key in pattern if key.startswith("$")}
            if words and not (words <= MATCHED and set(pattern) <= MATCHED):
                self.wrong(f"unknown words among {sorted(pattern)}")
            for name in (pattern.get("$var"), (pattern.get("$plus") or [None])[0]):
                if name is not None:
                    self.variable(name)
            if "$capture" in pattern:
                self.variables[pattern["$capture"]] = 7 if pattern["$capture"] == "start" else "captured"
            for key, inner in pattern.items():
                if key in ("like", "$one_of") or not words:
                    self.pattern(inner, depth + 1)


@every_script
def test_a_script_can_be_read_and_agrees_with_the_schema(script: Any) -> None:
    assert Reader(script).faults == []


@pytest.mark.parametrize(
    "steps",
    [
        [{"send": [3, 1, 0]}],
        [{"open": {}}, {"sned": []}],
        [{"open": {}}, {"send": [3, {"$var": "never"}, 0]}],
        [{"open": {}}, {"send": [3, {"$random": 1}, 0]}],
        [{"open": {}}, {"expect": [4, {"$var": "never"}]}],
        [{"open": {}}, {"expect": [4, {"$anything": True}]}],
        [{"open": {}}, {"expect": [16, 1]}],
        [{"open": {}}, {"expect": [99]}],
        [{"open": {}}, {"send": [0, [1], [], {"token": {"$token": {"who": "ann"}}}, {}]}],
        [{"open": {}}, {"send": [16, 1, "request.create", {}]}, {"expect": [17, 1]}],
        [{"open": {}}, {"send": [16, 1, "request.create", {}, "k"]}, {"expect": [17, 1, {"ticket": 1}]}],
        [{"open": {}}, {"send": [16, 1, "teapot.brew", {}, "k"]}, {"expect": [18, 1, 2401]}],
        [{"open": {}}, {"send": [16, 1, "offer.accept", {}, "k"]}, {"expect": [18, 1, 2401]}],
        [
            {"open": {}},
            {"send": [16, 1, "offer.accept", {}, "k"]},
            {"expect": [18, 1, 2400, "", None, {"path": "args"}]},
        ],
        [
            {"open": {}},
            {"send": [16, 1, "account.get", {}]},
            {"expect": [18, 1, 2400, "", None, {"path": "args.x"}]},
        ],
        [{"open": {}}, {"expect": [32, "me", 1, "request.created", 0, {"ticket": 1}]}],
    ],
)
def test_a_mistake_in_a_script_is_noticed(steps: Any) -> None:
    assert Reader({"steps": steps}).faults != []


@every_script
def test_what_a_script_sends_is_legal_unless_it_ends_in_a_goodbye(script: Any) -> None:
    said = [step["expect"][0] for step in script["steps"] if "expect" in step]
    assert Reader(script).illegal == [] or said[-1] == 2


def test_the_scripts_cover_what_can_be_refused() -> None:
    goodbyes, fails = set(), set()
    for script in SCRIPTS:
        for step in script["steps"]:
            kind, *fields = step.get("expect", [None])
            if kind == 2:
                goodbyes.add(str(fields[0]))
            elif kind == 18:
                fails.add(str(fields[1]))
    assert {"4005", "4500", "4501", "4502"} <= goodbyes
    assert {"2400", "2401", "2404", "2409", "3408"} <= fails


def test_bins_of_the_frames_are_read() -> None:
    assert real({"$bin": "00ff"}) == b"\0\xff"
    assert BROKER is LIMITS["broker"]
