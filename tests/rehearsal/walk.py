"""Follow docs/deployment.md word for word, and look whether it worked.

What the page says in code is typed as it stands there; what it says in words ("edit both files")
is done by a method named after the words. Nothing else is done.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.rehearsal.machine import Machine, Shell
from tests.rehearsal.page import Block, read_blocks

ROOT = Path(__file__).resolve().parents[2]
NAME = "prebuilds.example.com"
PASSWORD = "a-password-for-rehearsals"
REPOSITORY = "/srv/prebuilds.git"
INSTALL = "Install on a server"
SETTINGS, PROVISIONER_SETTINGS = "/etc/prebuilds/prebuilds.env", "/etc/prebuilds/provisioner.env"
UNITS = "prebuilds-web@8000 prebuilds-worker prebuilds-reconciler prebuilds-provisioner"
HEALTHY = f"curl -fsS https://{NAME}/healthz"
DOCTOR = "prebuilds-manage doctor"

ANSWERS: dict[str, str] = {
    r"Do you want to continue\? \[Y/n\]": "y",
    "Enter password for new role: ": PASSWORD,
    "Enter it again: ": PASSWORD,
    r"Username.*: ": "admin",
    r"Email.*: ": "admin@example.com",
    r"Password: ": PASSWORD,
    r"Password \(again\): ": PASSWORD,
}

CERTIFICATES = f"""
mkdir -p /etc/ssl/prebuilds && cd /etc/ssl/prebuilds &&
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Rehearsal authority' \
  -keyout authority.key -out authority.pem 2>/dev/null &&
openssl req -newkey rsa:2048 -nodes -subj '/CN={NAME}' \
  -keyout privkey.pem -out request.pem 2>/dev/null &&
printf 'subjectAltName=DNS:{NAME}' > names &&
openssl x509 -req -days 30 -in request.pem -CA authority.pem -CAkey authority.key \
  -CAcreateserial -extfile names -out fullchain.pem 2>/dev/null &&
cp authority.pem /usr/local/share/ca-certificates/rehearsal.crt && cd /opt/prebuilds/1
"""

ASK_FOR_ONE = r"""
claim() {
  jq -n --arg template $TEMPLATE --arg name load-$(date +%s%N) '{
    template_id: $template, name: $name, rich_parameter_values: [{name: "region", value: "eu"}]
  }' > wish
  api /organizations/$ORG/members/me/workspaces --json @wish -o answer -w '%{http_code} '
  jq -r .claim.outcome answer
}
"""

LOAD = r"""
(
  while [ -e loading ]; do
    claim >> served
    id=$(jq -r .id answer)
    sleep 1
    api /workspaces/$id/builds -o deleted --json '{"transition": "delete"}'
  done
) &
"""


class Walk:
    """One person at one machine's prompt, with the pages beside it."""

    def __init__(self, machine: Machine, transcript: Path) -> None:
        self.machine = machine
        self._transcript = transcript
        self.shell: Shell = machine.shell(transcript)
        self._page = read_blocks(ROOT / "docs" / "deployment.md")
        self._api = read_blocks(ROOT / "docs" / "api.md")

    # Reading and typing

    def blocks(self, heading: str, *, page: list[Block] | None = None) -> list[Block]:
        """Return the blocks below a heading; LookupError when there are none."""
        found = [each for each in page or self._page if each.heading == heading]
        if not found:
            raise LookupError(f"no commands under {heading!r}")
        return found

    def type_block(
        self,
        block: Block,
        placeholders: Mapping[str, str] | None = None,
        *,
        skip: Iterable[str] = (),
    ) -> str:
        """Type a block's commands, with something said for each of its placeholders.

        `skip` names commands that the caller repeats until they succeed.
        """
        said = ""
        for command in block.commands():
            if any(each in command for each in skip):
                continue
            said += self.shell.run(fill(command, placeholders or {}), answers=ANSWERS)
        return said

    def ask(self, command: str) -> str:
        """Return the last word that a command printed."""
        return self.shell.run(command).split()[-1]

    def wait_for(self, command: str, seconds: float) -> float:
        """Repeat a command until it succeeds; return after how many seconds it did."""
        began = time.monotonic()
        while True:
            said = self.shell.run(f"{command}; echo code=$?")
            took = time.monotonic() - began
            if said.rstrip().endswith("code=0"):
                return took
            if took > seconds:
                raise AssertionError(f"{command} after {seconds:.0f} s:\n{said}")
            time.sleep(2)

    def wait_until_well(self) -> float:
        """A worker that was started just now is asked again in a minute, as the doctor says."""
        return self.wait_for(DOCTOR, 180)

    # Install on a server

    def install(self) -> str:
        """Do steps 1 to 10, database and proxy included."""
        self.shell.run("apt-get update --quiet=2")
        for block in self.blocks(INSTALL):
            if block.step == 8:
                self.make_certificates()
            skip = [DOCTOR] if block.step == 10 else []
            if skip:
                self.wait_until_well()
            said = self.type_block(block, {"ADDRESS": REPOSITORY}, skip=skip)
            if block.step == 5:
                self.edit_both_files()
            if block.step == 7:
                self.copy_the_key(said.split()[-1])
        return self.shell.run(f"{DOCTOR} | tail -1").strip()

    def edit_both_files(self) -> None:
        """Each CHANGE-ME goes."""
        self.shell.run(f"sed -i 's/prebuilds:CHANGE-ME@/prebuilds:{PASSWORD}@/' {SETTINGS}")
        make_key = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        for path in (SETTINGS, PROVISIONER_SETTINGS):
            for _ in range(int(self.ask(f"grep -c '=CHANGE-ME' {path} | cat"))):
                self.shell.run(f"sed -i '0,/=CHANGE-ME/s//={self.ask(make_key)}/' {path}")

    def copy_the_key(self, key: str) -> None:
        name = "PREBUILDS_PROVISIONER_KEY"
        self.shell.run(f"sed -i 's/^{name}=.*/{name}={key}/' {PROVISIONER_SETTINGS}")

    def make_certificates(self) -> None:
        """A certificate of an authority of one's own, which this machine knows."""
        self.shell.run(CERTIFICATES.strip().replace("\\\n", ""))
        self.know_the_server(self.machine.address)

    def know_the_server(self, address: str) -> None:
        self.shell.run(f"echo '{address} {NAME}' >> /etc/hosts")
        self.shell.run("update-ca-certificates")

    # Use it

    def use(self) -> str:
        """Make a template by the commands of docs/api.md, and ask for a workspace of it."""
        self.shell.run("apt-get install --yes --quiet=2 jq")
        self.shell.run(f"mkdir -p ~/try && cd ~/try && URL=https://{NAME}")
        self.sign_in()
        self.type_block(self.blocks("A template with a pool", page=self._api)[0])
        self.type_block(self.blocks("Will the next person get a warm one?", page=self._api)[0])
        said = self.type_block(self.blocks("Create a workspace", page=self._api)[0])
        assert '"warm"' in said, said
        return "The first request was served warm."

    def sign_in(self) -> None:
        block = self.blocks("Sign in", page=self._api)[0]
        self.type_block(block, {"prebuilds-demo": PASSWORD})
        self.shell.run(ASK_FOR_ONE.strip())
        self.shell.run("ORG=$(api /organizations | jq -r '.[] | select(.is_default) | .id')")
        self.shell.run("TEMPLATE=$(api /organizations/$ORG/templates/shell | jq -r .id)")

    def start_load(self) -> None:
        """Keep asking for workspaces of that template, one about every second."""
        self.shell.run("cd ~/try && rm -f served && touch loading")
        self.shell.run("TEMPLATE=$(api /organizations/$ORG/templates/shell | jq -r .id)")
        self.shell.run(LOAD.strip())

    def end_load(self) -> list[str]:
        """Return the answers in their order: "201 warm", "503 null" and the like."""
        self.shell.run("cd ~/try && rm -f loading; wait")
        answers = self.shell.run("cat ~/try/served").split("\n")
        return [each for each in answers if each[:3].isdigit()]

    # Upgrade, start anew

    def upgrade(self) -> str:
        """Bring the next release while somebody keeps asking; nobody may be refused."""
        self.shell.run(f"ln -sfn /srv/newest.git {REPOSITORY}")
        self.start_load()
        for block in self.blocks("Upgrade without downtime"):
            self.type_block(block, {"ADDRESS": REPOSITORY}, skip=[DOCTOR])
        self.wait_until_well()
        answers = self.end_load()
        assert len(answers) > 5, answers
        assert all(each.startswith("201 ") for each in answers), answers
        self.shell.run("pgrep -f '/opt/prebuilds/2/.*uvicorn'")
        return f"{len(answers)} requests, all served, {answers.count('201 warm')} of them warm."

    def start_anew(self) -> str:
        """Switch the machine off and on: everything comes back by itself."""
        self.machine.power_off()
        self.machine.boot()
        self.shell = self.machine.shell(self._transcript)
        took = self.wait_for(f"systemctl is-active --quiet {UNITS} && {HEALTHY}", 120)
        self.shell.run(f"cd ~/try && URL=https://{NAME}")
        self.sign_in()
        said = self.shell.run("claim")
        assert "201 warm" in said, said
        return f"Well after {took:.0f} s, and a prebuild from before was handed over."

    # Scale out

    def scale_out(self, second: "Walk") -> str:
        """All four processes on a second machine, too."""
        here, there, again = self.blocks("A second machine")
        places = {"10.0.0.1": self.machine.address, "10.0.0.2": second.machine.address}
        self.shell.run("cd /opt/prebuilds/current")
        key = self.type_block(here, places).split()[-1]
        second.prepare_second(self, key)
        second.type_block(there, places)
        line = f"server {second.machine.address}:8000 max_fails=0;"
        file = "/etc/nginx/sites-enabled/prebuilds.conf"
        self.shell.run(f"sed -i '/^upstream/a {line}' {file}")
        self.type_block(again, skip=[DOCTOR])
        self.wait_for(f"{DOCTOR} | grep '2 online'", 60)
        self.wait_until_well()
        second.shell.run(DOCTOR)
        return "doctor has nothing to mend on both."

    def prepare_second(self, first: "Walk", key: str) -> None:
        """What the page says in words: packages, the authority, steps 3 and 4, both files."""
        self.shell.run("apt-get update --quiet=2")
        self.shell.run("apt-get install --yes --quiet=2 git python3-venv")
        for file in ("usr/local/share/ca-certificates/rehearsal.crt", "srv/newest.git"):
            self.machine.share(first.machine.inside / file, file)
        self.know_the_server(first.machine.address)
        steps = {each.step: each for each in self.blocks(INSTALL)}
        for number in (3, 4):
            self.type_block(steps[number], {"ADDRESS": "/srv/newest.git"})
        self.machine.share(first.machine.inside / "root/prebuilds.env.second", SETTINGS)
        self.shell.run(f"chmod 0600 {SETTINGS}")
        self.type_block(steps[5], skip=["prebuilds.env.example"])
        self.copy_the_key(key)
        self.edit_both_files()

    def serve_from(self, second: "Walk") -> str:
        """Stop everything but the provisioner here: the other machine does it all."""
        servers = "prebuilds-web@8000 prebuilds-web@8001 prebuilds-reconciler prebuilds-worker"
        self.shell.run(f"systemctl stop {servers}")
        self.start_load()
        time.sleep(20)
        answers = self.end_load()
        assert len(answers) > 5, answers
        assert all(each.startswith("201 ") for each in answers), answers
        second.shell.run(DOCTOR)
        self.shell.run(f"systemctl start {servers}")
        self.wait_until_well()
        replaced = "prebuilds-manage prebuilds status | grep 'resource replaced'"
        assert self.shell.run(replaced, allow=(1,)) == "", "a claim went to the wrong machine"
        return f"{len(answers)} requests served by the second."

    def rest(self) -> None:
        """Stop everything here, as the page says, until it is started again."""
        self.shell.run("systemctl stop prebuilds.target")

    # A pooler; back up and restore

    def put_a_pooler_between(self) -> str:
        """Let pgbouncer share the connections of this machine's processes."""
        self.shell.run("apt-get install --yes --quiet=2 pgbouncer")
        configuration, commands, settings = self.blocks("Behind pgbouncer")
        file = "/etc/pgbouncer/pgbouncer.ini"
        self.shell.run(f"cat > {file} <<'END'\n{configuration.text}\nEND")
        self.type_block(commands)
        for line in settings.text.replace("…", PASSWORD).splitlines():
            self.shell.run(f"sed -i '/^{line.split('=')[0]}=/d' {SETTINGS}")
            self.shell.run(f"echo '{line}' >> {SETTINGS}")
        self.shell.run("systemctl restart prebuilds.target")
        self.wait_until_well()
        return self.shell.run(f"{DOCTOR} | grep pooler").strip()

    def back_up_and_restore(self, second: "Walk") -> str:
        """Go back to a dump, after somebody has claimed what was a prebuild then."""
        self.wait_for("prebuilds-manage prebuilds status | grep ': healthy'", 60)
        self.type_block(self.blocks("Back up and restore")[0])
        claimed = self.shell.run("cd ~/try; claim; jq -r .id answer").split()[-1]
        stop, database, look, orphans, start = self.blocks("Restore")
        for walk in (self, second):
            walk.type_block(stop)
        self.shell.run("systemctl stop pgbouncer")
        self.type_block(database)
        self.shell.run("systemctl start pgbouncer")
        self.type_block(look, {"--template NAME": "--template shell"})
        second.machine.share(self.machine.inside / "tmp/known", "/tmp/known")
        for walk in (self, second):
            walk.type_block(orphans)
        second.shell.run("systemctl start prebuilds.target")
        self.type_block(start, skip=[DOCTOR])
        healthy = self.wait_for("prebuilds-manage prebuilds status | grep ': healthy'", 120)
        self.wait_until_well()
        again = self.ask(f"cd ~/try; api /workspaces/{claimed} | jq -r '.owner_name // \"gone\"'")
        assert again in {"prebuilds", "gone"}, again
        return f"The pool was healthy {healthy:.0f} s after the start."


def fill(command: str, placeholders: Mapping[str, str]) -> str:
    """Return a command of the page with something said for its placeholders."""
    for placeholder, value in placeholders.items():
        command = command.replace(placeholder, value)
    return command
