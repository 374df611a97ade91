"""List the machines of provisioner daemons, and forget one that is gone for good.

Exit codes: 0 done, or nothing to change (said so); 1 what was named does not exist, or is still
there; 2 bad usage.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.audit import AT_THE_SHELL
from workspaces import machines
from workspaces.errors import MachineOnline, UnknownMachine
from workspaces.machines import Holdings, Machine
from workspaces.services import machines as machine_services


class Command(BaseCommand):
    """manage.py provisioners."""

    help = "List the machines that workspaces are kept on, or forget one that is gone for good."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="show the machines that are online or keep workspaces")
        forget = verbs.add_parser(
            "forget-machine",
            help="let any provisioner do what waits for this machine, and what comes after",
        )
        forget.add_argument("machine", help="its id, as `list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs = {"list": self._list, "forget-machine": self._forget}
        verbs[options["verb"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        found = machines.list_machines(now=timezone.now())
        for machine, held in found:
            self.stdout.write(_line(machine, held))
        if not found:
            self.stdout.write("No machine is online or keeps a workspace.")

    def _forget(self, options: dict[str, Any]) -> None:
        try:
            release = machine_services.forget_machine(
                machine=options["machine"], actor=AT_THE_SHELL, now=timezone.now()
            )
        except (UnknownMachine, MachineOnline) as error:
            raise CommandError(str(error)) from error
        if not release.workspaces:
            self.stdout.write("No live workspace is bound to this machine: nothing changed.")
            return
        self.stdout.write(
            f"{options['machine']}: forgotten. Any provisioner may now do what is asked of "
            f"{release.workspaces} workspaces ({release.pending_jobs} jobs waited); their files "
            "on it are lost. Should it come back, empty its directory of workspaces first."
        )


def _line(machine: Machine, held: Holdings) -> str:
    seen = "online" if machine.is_online else f"last seen {machine.last_seen_at:%Y-%m-%d %H:%M} UTC"
    kept = f"{held.workspaces} workspaces ({held.of_people} of people)"
    return f"{machine.machine}: {machine.known_as}, {seen}, {kept}, {held.pending_jobs} jobs wait"
