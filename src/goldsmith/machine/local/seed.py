"""What a machine finds out about itself when it starts: a NoCloud seed and systemd credentials, new at every start.

Instance id and host name stay, so cloud-init sets a machine up once. The user's data is handed over as it is; ours
goes beside it as vendor data, which the user's wins over.
"""

import json
from pathlib import Path

from goldsmith.machine import agent as report
from goldsmith.machine import channel
from goldsmith.machine.agent import Agent
from goldsmith.machine.fat import image
from goldsmith.model.machine import Credential
from goldsmith.model.vm import LocalMachine

SEED = "seed.img"
EMPTY = "#cloud-config\n{}\n"


def write_seed(directory: Path, machine: LocalMachine, agent: Agent, key: str) -> Path:
    """Write the seed for one start; its path.

    Args:
        directory: the machine's.
        machine: what it is.
        agent: the report's script.
        key: the machine's public SSH key.
    """
    meta = {
        "instance-id": f"goldsmith-{machine.uuid}",
        "local-hostname": machine.name,
        "public-keys": [key] if key else [],
    }
    commands = [report.boot_command(agent), channel.boot_command(agent.nonce)]
    files = {
        "meta-data": json.dumps(meta, indent=1).encode(),
        "vendor-data": f"#cloud-config\n{json.dumps({'bootcmd': commands, 'disable_root': False}, indent=1)}\n".encode(),
        "user-data": (machine.user_data or EMPTY).encode(),
    }
    path = directory / SEED
    path.write_bytes(image("CIDATA", files))
    path.chmod(0o600)
    return path


def credentials(agent: Agent) -> tuple[Credential, ...]:
    """What the firmware tables carry."""
    return (*report.credentials(agent), *channel.credentials(agent.nonce))
