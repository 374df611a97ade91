import sys, subprocess, shutil, traceback
from pathlib import Path
from tests.rehearsal.machine import Machine, Network, make_clean_machine
from tests.rehearsal.walk import Walk, ROOT
folder = Path("/var/lib/machines/rehearsal"); folder.mkdir(parents=True, exist_ok=True)
clean = make_clean_machine(folder, trust=Path("/etc/ssl/certs/sandboxing-egress-ca.pem"))
bare = folder / "prebuilds.git"
shutil.rmtree(bare, ignore_errors=True)
subprocess.run(["git", "clone", "-q", "--bare", str(ROOT), str(bare)], check=True)
with Network(), Machine("one", 11, clean=clean, folder=folder) as one:
    one.share(bare, "/srv/prebuilds.git")
    (folder / "one.log").unlink(missing_ok=True)
    walk = Walk(one, folder / "one.log")
    try:
        walk.install()
        walk.make_a_template()
        print(walk.create_a_workspace())
        print(walk.shell.run("prebuilds-manage doctor"))
    except BaseException:
        traceback.print_exc()
        print("stays up; touch /tmp/go to end")
        import time
        while not Path("/tmp/go").exists(): time.sleep(1)
