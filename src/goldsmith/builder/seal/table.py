"""Every seal operation, in the order they are done; listings, tests and the certificate use this table."""

from goldsmith.builder.seal.caches import CACHES
from goldsmith.builder.seal.cloud import CLOUD
from goldsmith.builder.seal.identity import IDENTITY
from goldsmith.builder.seal.logs import LOGS
from goldsmith.builder.seal.machine_id import MACHINE_ID
from goldsmith.builder.seal.network import NETWORK
from goldsmith.builder.seal.operation import Operation
from goldsmith.builder.seal.packages import PACKAGES
from goldsmith.builder.seal.people import IN_HOMES
from goldsmith.builder.seal.resolv_conf import RESOLV_CONF

OPERATIONS: tuple[Operation, ...] = (
    MACHINE_ID,
    *IDENTITY,
    RESOLV_CONF,
    *NETWORK,
    *CLOUD,
    *IN_HOMES,
    *PACKAGES,
    *LOGS,
    *CACHES,
)
"""Special kinds come before general ones (``logs``, ``caches``), so that each trace is counted where it belongs."""
