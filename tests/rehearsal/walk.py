"""Follow docs/deployment.md and docs/runbooks.md, word for word, and look whether it worked.

What a page says in code is typed as it stands there; what it says in words ("edit both files") is
done by the functions here, each named after the words. Nothing else is done.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.rehearsal.machine import Machine, Shell
from tests.rehearsal.page import Block, read_blocks

ROOT = Path(__file__).resolve().parents[2]
NAME = "prebuilds.example.com"
PASSWORD = "a-password-for-rehearsals"  # noqa: S105  of a machine that lives for minutes
INSTALL, UPGRADE = "Install on a server", "Upgrade without downtime"
REPOSITORY = "/srv/prebuilds.git"


class Walk:
    """One person at one machine's prompt with the pages beside it."""

    def __init__(self, machine: Machine, transcript: Path) -> None:
        self.machine = machine
        self.shell: Shell = machine.shell(transcript)
        self.deployment = read_blocks(ROOT / "docs" / "deployment.md")
        self.api = read_blocks(ROOT / "docs" / "api.md")

    def type_block(
        self,
        block: Block,
        placeholders: Mapping[str, str] | None = None,
        *,
        skip: Iterable[str] = (),
    ) -> str:
        """Type a block of a page, with something said for each of its placeholders."""
        said = ""
        for command in block.commands():
            if any(each in command for each in skip):
                continue
            for placeholder, value in (placeholders or {}).items():
                command = command.replace(placeholder, value)
            said += self.shell.run(command, answers=ANSWERS)
        return said

    def blocks(self, heading: str, *, page: list[Block] | None = None) -> list[Block]:
        found = [each for each in page or self.deployment if each.heading == heading]
        if not found:
            raise LookupError(f"no commands under {heading!r}")
        return found

    # Install on a server

    def install(self) -> None:
        """Steps 1 to 10 on this machine, database and proxy included."""
        self.shell.run("apt-get update --quiet=2")
        for block in self.blocks(INSTALL):
            before, after = PROSE.get(block.step or 0, (None, None))
            if before:
                before(self)
            if block.step == 10:
                self.wait_until_well()
            said = self.type_block(block, {"ADDRESS": REPOSITORY})
            if after:
                after(self, said)

    def edit_both_files(self, _: str) -> None:
        """Each CHANGE-ME goes."""
        line = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        for file in ("prebuilds", "provisioner"):
            path = f"/etc/prebuilds/{file}.env"
            self.shell.run(f"sed -i 's/prebuilds:CHANGE-ME@/prebuilds:{PASSWORD}@/' {path}")
            while self.shell.run(f"grep -m1 -v KEY=$ {path} | cat; grep CHANGE-ME {path}", allow=(0, 1)).count("CHANGE-ME"):
                key = self.shell.run(line).split()[-1]
                self.shell.run(f"sed -i '0,/CHANGE-ME/s//{key}/' {path}")

    def copy_the_key(self, said: str) -> None:
        key = said.split()[-1]
        path = "/etc/prebuilds/provisioner.env"
        self.shell.run(f"sed -i 's/^PREBUILDS_PROVISIONER_KEY=.*/PREBUILDS_PROVISIONER_KEY={key}/' {path}")

    def make_certificates(self) -> None:
        """A certificate of an authority of one's own, known to this machine."""
        self.shell.run(CERTIFICATES)
        self.know_the_server(self.machine.address)

    def know_the_server(self, address: str) -> None:
        self.shell.run(f"echo '{address} {NAME}' >> /etc/hosts")
        self.shell.run("update-ca-certificates")

    def wait_until_well(self) -> None:
        """A worker that was started just now is asked again in a minute, as the doctor says."""
        self.wait_for("prebuilds-manage doctor", 180)

    def wait_for(self, command: str, seconds: float) -> str:
        """Repeat a command until it succeeds."""
        deadline = time.monotonic() + seconds
        while True:
            said = self.shell.run(f"{command}; echo code=$?")
            if said.rstrip().endswith("code=0"):
                return said
            if time.monotonic() > deadline:
                raise AssertionError(f"{command} after {seconds:.0f} s:\n{said}")
            time.sleep(2)

    def ask(self, command: str) -> str:
        """Return the last word that a command printed."""
        return self.shell.run(command).split()[-1]

    # It serves

    def make_a_template(self) -> None:
        """As the page says: by the API, with the commands of docs/api.md."""
        self.shell.run("apt-get install --yes --quiet=2 jq")
        self.shell.run(f"mkdir -p ~/try && cd ~/try && URL=https://{NAME}")
        self.sign_in()
        self.type_block(self.blocks("A template with a pool", page=self.api)[0])
        self.type_block(self.blocks("Will the next person get a warm one?", page=self.api)[0])

    def sign_in(self) -> None:
        block = self.blocks("Sign in", page=self.api)[0]
        self.type_block(block, {"prebuilds-demo": PASSWORD})

    def create_a_workspace(self) -> str:
        said = self.type_block(self.blocks("Create a workspace", page=self.api)[0])
        assert '"warm"' in said, said
        return said

    # Upgrade

    def upgrade(self) -> str:
        """The next release, while somebody keeps asking for workspaces; nobody may be refused."""
        self.start_load()
        for block in self.blocks(UPGRADE):
            self.type_block(block, {"ADDRESS": REPOSITORY}, skip=["prebuilds-manage doctor"])
        self.wait_until_well()
        answers = self.end_load()
        assert all(each.startswith("201 ") for each in answers), answers
        self.shell.run("pgrep -af '/opt/prebuilds/2/.*uvicorn'")
        return f"{len(answers)} requests, all served, {answers.count('201 warm')} of them warm."

    def start_load(self) -> None:
        """Keep asking for workspaces of the first template, one about every second."""
        self.shell.run("cd ~/try && rm -f served && touch loading")
        self.shell.run("ORG=$(api /organizations | jq -r '.[] | select(.is_default) | .id')")
        self.shell.run("TEMPLATE=$(api /organizations/$ORG/templates/shell | jq -r .id)")
        self.shell.run(LOAD)

    def end_load(self) -> list[str]:
        """Return the answers: "201 warm", "503 null" and the like, in their order."""
        self.shell.run("cd ~/try && rm -f loading; wait")
        served = self.shell.run("cat ~/try/served").split("\n")
        answers = [each.removeprefix("claim ") for each in served if each.startswith("claim ")]
        assert len(answers) > 5, served
        return answers

    # Scale out

    def scale_out(self, second: "Walk") -> None:
        """A second machine with all four processes, by the page's section of that name."""
        here, there, again = self.blocks("A second machine")[0:3]
        places = {"10.0.0.1": self.machine.address, "10.0.0.2": second.machine.address}
        self.shell.run("cd /opt/prebuilds/current")
        key = self.type_block(here, places).split()[-1]
        second.prepare_second(self, key)
        second.type_block(there, places)
        line = f"server {second.machine.address}:8000 max_fails=0;"
        file = "/etc/nginx/sites-enabled/prebuilds.conf"
        self.shell.run(f"sed -i '/^upstream/a {line}' {file}")
        self.type_block(again, skip=["prebuilds-manage doctor"])
        self.wait_until_well()

    def prepare_second(self, first: "Walk", key: str) -> None:
        """Steps 3 and 4, and what the page says in words."""
        self.shell.run("apt-get update --quiet=2; apt-get install --yes --quiet=2 git python3-venv")
        for file in ("usr/local/share/ca-certificates/rehearsal.crt", "srv/prebuilds.git"):
            self.machine.share(first.machine.inside / file, file)
        self.know_the_server(first.machine.address)
        for block in self.blocks(INSTALL):
            if block.step in (3, 4):
                self.type_block(block, {"ADDRESS": REPOSITORY})
        settings = first.machine.inside / "root/prebuilds.env.second"
        self.machine.share(settings, "/etc/prebuilds/prebuilds.env")
        self.shell.run("chmod 0600 /etc/prebuilds/prebuilds.env")
        step = next(each for each in self.blocks(INSTALL) if each.step == 5)
        self.type_block(step, skip=["prebuilds.env.example"])
        self.copy_the_key(key)
        self.edit_both_files("")

    # A pooler

    def put_a_pooler_between(self) -> None:
        self.shell.run("apt-get install --yes --quiet=2 pgbouncer")
        configuration, commands, settings = self.blocks("Behind pgbouncer")
        self.shell.run(f"cat > /etc/pgbouncer/pgbouncer.ini <<'END'\n{configuration.text}\nEND")
        self.type_block(commands)
        for line in settings.text.replace("…", PASSWORD).splitlines():
            name = line.split("=")[0]
            self.shell.run(f"sed -i '/^{name}=/d' /etc/prebuilds/prebuilds.env")
            self.shell.run(f"echo '{line}' >> /etc/prebuilds/prebuilds.env")
        self.shell.run("systemctl restart prebuilds.target")
        self.wait_until_well()

    # Back up and restore

    def back_up(self) -> None:
        self.type_block(self.blocks("Back up and restore")[0])

    def restore(self, second: "Walk") -> None:
        """Go back to the dump, after somebody has claimed what was a prebuild then."""
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
        self.type_block(start, skip=["prebuilds-manage doctor"])
        self.wait_for("prebuilds-manage prebuilds status | grep ': healthy'", 120)
        self.wait_until_well()


ANSWERS = {
    r"Do you want to continue\? \[Y/n\]": "y",
    "Enter password for new role: ": PASSWORD,
    "Enter it again: ": PASSWORD,
    r"Username.*: ": "admin",
    r"Email.*: ": "admin@example.com",
    r"Password: ": PASSWORD,
    r"Password \(again\): ": PASSWORD,
}

LOAD = r"""
(
  while [ -e loading ]; do
    name=load-$(date +%s%N)
    code=$(api /organizations/$ORG/members/me/workspaces -o answer -w '%{http_code}' --json "{\"template_id\": \"$TEMPLATE\", \"name\": \"$name\", \"rich_parameter_values\": [{\"name\": \"region\", \"value\": \"eu\"}]}")
    echo "claim $code $(jq -r .claim.outcome answer)" >> served
    id=$(jq -r .id answer)
    sleep 1
    echo "delete $(api /workspaces/$id/builds -o deleted -w '%{http_code}' --json '{"transition": "delete"}')" >> served
  done
) &
""".strip()

CERTIFICATES = f"""
mkdir -p /etc/ssl/prebuilds && cd /etc/ssl/prebuilds &&
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Rehearsal authority' \
  -keyout authority.key -out authority.pem 2>/dev/null &&
openssl req -newkey rsa:2048 -nodes -subj '/CN={NAME}' -keyout privkey.pem -out request.pem 2>/dev/null &&
printf 'subjectAltName=DNS:{NAME}' > names &&
openssl x509 -req -days 30 -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial \
  -extfile names -out fullchain.pem 2>/dev/null &&
cp authority.pem /usr/local/share/ca-certificates/rehearsal.crt && cd /opt/prebuilds/1
""".strip().replace("\\\n", "")

PROSE: dict[
    int, tuple[Callable[[Walk], None] | None, Callable[[Walk, str], None] | None]
] = {
    5: (None, Walk.edit_both_files),
    7: (None, Walk.copy_the_key),
    8: (Walk.make_certificates, None),
}
